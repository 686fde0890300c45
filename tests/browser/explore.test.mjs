// A formula that can be touched: every number is that of `evaluate`, by mouse, by keyboard and for a screen reader.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { skip, start } from "./browser.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser, folder, url, answers;

before(() => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), "explore-"));
  const [page, expected] = [join(folder, "page.html"), join(folder, "expected.json")];
  execFileSync(join(ROOT, ".venv/bin/python"), [join(ROOT, "tests/browser/explorations.py"), page, expected], { cwd: folder });
  answers = JSON.parse(readFileSync(expected));
  url = pathToFileURL(page).href;
});
before(async () => {
  if (!skip) browser = await start();
});
after(() => skip || Promise.all([browser.close(), rmSync(folder, { recursive: true })]));

async function open(options = {}, lang = "en") {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => request.url() === url || wrong.push(`request: ${request.url()}`));
  await page.addInitScript((code) => new MutationObserver(() => (document.documentElement.lang = code)).observe(document, { childList: true }), lang);
  await page.goto(url);
  return { page, wrong };
}

const numbers = (text) => text.match(/-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)/g) ?? [];

/** Move the index by its arrow keys until it has a value. */
async function moveTo(section, letter, value) {
  const spin = section.getByRole("spinbutton", { name: `index ${letter}`, exact: true });
  await spin.focus();
  await spin.press("Home");
  for (let i = 1; i < value; i++) await spin.press("ArrowUp");
  assert.equal(await spin.getAttribute("aria-valuenow"), String(value));
}

describe("a formula that can be touched", { skip }, () => {
  test("shows at each index the result that evaluate gives", async () => {
    const { page, wrong } = await open();
    for (const [name, { result }] of Object.entries(answers)) {
      const section = page.locator(`[data-equation="${name}"]`);
      const letters = await section.evaluate((node) => {
        const { parts, result } = JSON.parse(node.querySelector("script[type='application/json']").textContent);
        return parts[result].letters;
      });
      for (const [key, value] of Object.entries(result)) {
        const at = key ? key.split(",").map(Number) : [];
        for (const [place, letter] of letters.entries()) await moveTo(section, letter, at[place]);
        const shown = (await section.locator(".mg-result").textContent()).split(" = ")[1].replace(/ at .*/, "");
        assert.equal(shown.replace(/ at$/, ""), value, `${name} at ${key}`);
      }
    }
    assert.deepEqual(wrong, []);
    await page.close();
  });

  test("shows of each symbol the values that were given or that its definition has", async () => {
    const { page } = await open();
    let seen = 0;
    for (const [name, { inputs, definitions }] of Object.entries(answers)) {
      const section = page.locator(`[data-equation="${name}"]`);
      for (const node of await section.locator(".mg-part").all()) {
        await node.focus();
        const symbol = (await section.locator(".mg-name").textContent()).split(/[_ =]/)[0];
        const known = inputs[symbol] ?? definitions[symbol];
        const cells = await section.locator("td").allTextContents();
        if (known === undefined || !cells.length) continue;
        assert.deepEqual(cells, numbers(known), `${symbol} of ${name}`);
        seen += 1;
      }
    }
    assert.ok(seen >= 30, `${seen} symbols`);
    await page.close();
  });

  test("unrolls each sum, and the terms add up to it", async () => {
    const { page } = await open();
    let seen = 0;
    for (const node of await page.locator(".mg-part[data-unrolled]").all()) {
      await node.focus();
      await node.press("Enter");
      assert.equal(await node.getAttribute("data-unrolled"), "true");
      const about = page.locator(".mg-about").filter({ has: page.locator("li") });
      const last = (text) => numbers(text.split(" = ").at(-1).replace(/ at .*/, "")).map(Number);
      const terms = (await about.locator("li").allTextContents()).map(last);
      const total = last((await about.locator(".mg-name").textContent()).replace(/ at .*/, ""));
      assert.ok(terms.length >= 1);
      total.forEach((value, i) => {
        const sum = terms.reduce((all, term) => all + term[i], 0);
        assert.ok(Math.abs(sum - value) < 1e-3 * Math.max(1, Math.abs(value)), `${sum} and ${value}`);
      });
      await node.press("Escape");
      assert.equal(await node.getAttribute("data-unrolled"), "false");
      seen += 1;
    }
    assert.ok(seen >= 8, `${seen} sums`);
    await page.close();
  });

  test("is one stop of the Tab key, within which the arrow keys move", async () => {
    const { page } = await open();
    const section = page.locator('[data-equation="attention-weights"]');
    const parts = section.locator(".mg-part");
    const stops = () => parts.evaluateAll((nodes) => nodes.filter((node) => node.tabIndex === 0).length);
    assert.equal(await stops(), 1);
    await parts.first().focus();
    await page.keyboard.press("ArrowRight");
    const focused = () => page.evaluate(() => document.activeElement.dataset.part);
    assert.equal(await focused(), await parts.nth(1).getAttribute("data-part"));
    assert.equal(await stops(), 1);
    await page.keyboard.press("ArrowUp");
    assert.match(await section.locator(".mg-name").textContent(), /^v_i = .* at i = 2$/);
    assert.equal(await section.getByRole("spinbutton", { name: "index i" }).getAttribute("aria-valuenow"), "2");
    await page.keyboard.press("End");
    assert.equal(await focused(), await parts.last().getAttribute("data-part"));
    await page.close();
  });

  test("has a spoken label on each part, and says where an index is", async () => {
    const { page } = await open();
    const section = page.locator('[data-equation="attention-weights"]');
    const labels = await page.locator(".mg-part").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("aria-label")));
    assert.ok(labels.length > 40 && labels.every((label) => label && !/[\\{}_^]/.test(label)), labels.join("\n"));
    assert.equal(
      await section.locator(".mg-row").getAttribute("aria-label"),
      "a sub i j equals the fraction exp of v sub i dot v sub j over the sum over k from 1 to n of exp of v sub i dot v sub k, end of fraction,",
    );
    const spin = section.getByRole("spinbutton", { name: "index i" });
    const high = await spin.getAttribute("aria-valuemax");
    await spin.press("ArrowUp");
    assert.equal(await spin.getAttribute("aria-valuetext"), `i = 2 of ${high}`);
    assert.equal(await section.locator(".mg-result").getAttribute("aria-live"), "polite");
    await page.close();
  });

  test("is read aloud in Chinese on a Chinese page", async () => {
    const { page } = await open({}, "zh-CN");
    const section = page.locator('[data-equation="attention-output"]');
    assert.equal(await section.locator(".mg-explore").getAttribute("aria-label"), "探索 attention-output");
    assert.match(await section.locator(".mg-row").first().getAttribute("aria-label"), /^v 撇 下标 i 等于 对 j 从 1 到 n 求和/);
    assert.equal(await section.locator(".mg-row span").first().textContent(), "其中");
    const sums = section.locator(".mg-part[aria-roledescription='求和']");
    assert.equal(await sums.first().getAttribute("aria-label"), "对 j 从 1 到 n 求和 a 下标 i j 乘 v 下标 j。按回车展开");
    const labels = await page.locator(".mg-part").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("aria-label")));
    assert.deepEqual(labels.filter((label) => / (sub|over|times|minus) /.test(label)), []);
    await page.close();
  });

  for (const width of [1280, 390])
    for (const colorScheme of ["light", "dark"])
      test(`is accessible and no wider than the page at ${width} px, ${colorScheme}`, async () => {
        const { page } = await open({ viewport: { width, height: 844 }, colorScheme });
        for (const root of await page.locator("section").all()) await root.locator(".mg-part").last().focus();
        const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement);
        assert.ok(!(scrollWidth > clientWidth), `${scrollWidth} px`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        assert.deepEqual(serious.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`)), []);
        await page.close();
      });
});
