// The views of the microscope and an estimate: whole, accessible, worked by keyboard, and their numbers those of the record.
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
const TABLES = ["attention", "layers", "lens", "patching", "chinese"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser, folder, url, answers;

before(() => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), "views-"));
  const [page, expected] = [join(folder, "page.html"), join(folder, "expected.json")];
  execFileSync(join(ROOT, ".venv/bin/python"), [join(ROOT, "tests/browser/views.py"), page, expected], { cwd: folder });
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
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("request", (request) => request.url() === url || wrong.push(`request: ${request.url()}`));
  await page.goto(url);
  await page.evaluate((code) => (document.documentElement.lang = code), lang);
  return { page, wrong, view: (name) => page.locator(`[data-view="${name}"]`) };
}

/** The texts of the cells, row by row, as they are seen. */
const cells = (view) => view.locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.innerText)));
const headings = (view) => view.locator("thead th").evaluateAll((all) => all.map((node) => node.innerText));

/** A number is what is shown, to the digits shown: not further from it than half of the last one. */
function shows(text, number, digits, what) {
  const shown = Number(text.replace("−", "-"));
  assert.ok(Math.abs(shown - number) <= 0.5 * 10 ** -digits + 1e-5, `${what}: ${text} for ${number}`);
}

/** Each cell of the attention view against the weights of a head, `·` being 0 and nothing what a query cannot see. */
function compare(table, weights, what) {
  assert.equal(table.length, weights.length);
  table.forEach((row, t) => {
    assert.equal(row.length, weights.length);
    row.forEach((text, s) => (s > t ? assert.equal(text, "") : shows(text === "·" ? "0" : text, 100 * weights[t][s], 0, `${what} ${t}, ${s}`)));
  });
}

describe("a view", { skip }, () => {
  test("needs nothing but itself, and no token is taken for markup", async () => {
    const { page, wrong, view } = await open();
    assert.deepEqual(wrong, []);
    assert.equal(await page.locator("section b").count(), 0);
    const tokens = (await headings(view("attention"))).slice(1).map((text) => text.replace(/^\d+ /, ""));
    for (const token of ["<", "</", "&", "↵", "\\u{9}", "词典", "\\xe2", "\\xe9", "·"]) assert.ok(tokens.includes(token), `${token} among ${tokens}`);
    assert.ok(!(await page.locator("main").innerText()).includes("\u202e"));
    await page.close();
  });

  test("of attention shows each weight of each layer and head, chosen by keyboard", async () => {
    const { page, wrong, view } = await open();
    const [layer, head] = ["Layer", "Head"].map((name) => view("attention").getByRole("combobox", { name, exact: true }));
    const now = view("attention").locator("caption .mg-en");
    await layer.focus();
    for (const [l, heads] of answers.attention.entries()) {
      assert.equal(await page.evaluate(() => document.activeElement.value), String(l));
      await page.keyboard.press("Tab");
      await page.keyboard.press("Home");
      for (const [h, weights] of heads.entries()) {
        compare(await cells(view("attention")), weights, `layer ${l}, head ${h}`);
        assert.match(await now.innerText(), new RegExp(`Layer ${l}, head ${h}$`));
        await page.keyboard.press("ArrowDown");
      }
      assert.equal(await head.inputValue(), String(heads.length - 1));
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("ArrowDown");
    }
    assert.equal(await now.locator("[aria-live=polite]").count(), 1);
    assert.deepEqual(wrong, []);
    await page.close();
  });

  test("of attention without its script is a table of the first head, and offers no choice", async () => {
    const page = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(url);
    const view = page.locator('[data-view="attention"]');
    assert.equal(await view.locator("select").first().isVisible(), false);
    const row = await view.locator("tbody tr").nth(2).locator("td").allTextContents();
    row.slice(0, 3).forEach((text, s) => shows(text, 100 * answers.attention[0][0][2][s], 0, `2, ${s}`));
    await page.close();
  });

  test("of some layers has their numbers", async () => {
    const { page, view } = await open();
    assert.deepEqual(await view("layers").getByRole("combobox", { name: "Layer" }).locator("option").allTextContents(), ["1"]);
    compare(await cells(view("layers")), answers.attention[1][0], "layer 1");
    assert.match(await view("layers").locator("caption .mg-en").innerText(), /Layer 1, head 0$/);
    await page.close();
  });

  test("of the logit lens shows each probability, and marks the token that comes", async () => {
    const { page, view } = await open();
    const { chances, best, ids } = answers.lens;
    let marks = 0;
    (await cells(view("lens"))).forEach((row, layer) =>
      row.forEach((text, t) => {
        const [, percent, mark] = text.match(/ (\d+)%( ✓)?$/);
        shows(percent, 100 * chances[layer][t], 0, `layer ${layer}, ${t}`);
        assert.equal(Boolean(mark), best[layer][t] === ids[t + 1], `layer ${layer}, ${t}`);
        marks += Boolean(mark);
      }),
    );
    assert.equal((await cells(view("lens"))).length, chances.length);
    assert.ok(marks >= 1 && marks < ids.length);
    await page.close();
  });

  test("of patches shows each recovery, what is below 0 in another colour", async () => {
    const { page, view } = await open();
    const table = await cells(view("patching"));
    assert.deepEqual([table.length, table[0].length], [answers.patching.length, answers.patching[0].length]);
    table.forEach((row, layer) => row.forEach((text, t) => shows(text, answers.patching[layer][t], 2, `layer ${layer}, ${t}`)));
    const colours = await view("patching").locator("tbody td").evaluateAll((nodes) => nodes.slice(0, 5).map((node) => getComputedStyle(node).backgroundColor));
    assert.equal(new Set(colours).size, 5);
    assert.deepEqual((await view("patching").locator("td.mg-minus").allTextContents()).filter((text) => !text.startsWith("−") || text === "−0.00"), []);
    await page.close();
  });

  test("of an estimate has its rows", async () => {
    const { page, view } = await open();
    const rows = await view("estimate").locator("tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.deepEqual(rows, answers.estimate);
    assert.deepEqual(await view("estimate").locator("th").evaluateAll((all) => [...new Set(all.map((node) => node.scope))]), ["row"]);
    await page.close();
  });

  test("has the language of the page, or the one that was asked for", async () => {
    const { page, view } = await open();
    assert.equal((await headings(view("patching")))[0], "layer \\ position");
    assert.equal((await headings(view("chinese")))[0], "层 \\ 位置");
    await page.evaluate(() => (document.documentElement.lang = "zh-CN"));
    assert.equal((await headings(view("patching")))[0], "层 \\ 位置");
    assert.equal((await headings(view("lens")))[0], "层 \\ 词元");
    const head = view("attention").getByRole("combobox", { name: "注意力头", exact: true });
    await head.focus();
    await head.press("End");
    const caption = "注意力权重（百分比），每行是一个查询。第 0 层，注意力头 2";
    assert.equal(await view("attention").locator("caption").innerText(), caption);
    assert.equal(await view("attention").getByRole("region", { name: caption, exact: true }).count(), 1);
    assert.ok(!/[a-z]{3}/i.test(await view("lens").locator("caption").innerText()));
    await page.close();
  });

  for (const width of [1280, 390])
    for (const colorScheme of ["light", "dark"])
      test(`is accessible and no wider than the page at ${width} px, ${colorScheme}`, async () => {
        const { page, wrong, view } = await open({ viewport: { width, height: 844 }, colorScheme });
        const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement);
        assert.ok(!(scrollWidth > clientWidth), `${scrollWidth} px`);
        for (const name of TABLES) await fits(page, view(name), name);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        assert.deepEqual(serious.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`)), []);
        assert.deepEqual(wrong, []);
        await page.close();
      });
});

/** The caption is inside the page; the arrow keys move the table in its own box, and its caption and first column stay. */
async function fits(page, view, name) {
  const [box, caption, first] = [view.locator(".mg-scroll"), view.locator("caption > div"), view.locator("thead th").first()];
  const places = async () => Promise.all([caption, first].map(async (node) => (await node.boundingBox()).x));
  const width = await page.evaluate(() => document.documentElement.clientWidth);
  const { x, width: captionWidth } = await caption.boundingBox();
  assert.ok(x >= 0 && x + captionWidth <= width, `the caption of ${name} ends at ${x + captionWidth} px`);
  const before = await places();
  await box.focus();
  await page.keyboard.press("ArrowRight");
  await box.evaluate((node) => new Promise((done) => (node.onscroll = () => node.scrollLeft > 0 && done())));
  await box.evaluate((node) => node.scrollTo({ left: node.scrollWidth, behavior: "instant" }));
  const moved = (await places()).map((now, i) => Math.abs(now - before[i]));
  assert.ok(Math.max(...moved) <= 4, `the caption and the first column of ${name} moved by ${moved} px`);
}
