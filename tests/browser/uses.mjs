// What a reader does with a page, and what comes of it.
import assert from "node:assert/strict";

/** What the site's search shows first: the addresses that it leads to, and the text. */
export async function firstFound(context, origin, words) {
  const page = await context.newPage();
  await page.goto(`${origin}search.html?q=${encodeURIComponent(words)}`);
  const results = page.locator("#search-results");
  await results.getByText(/^(Search finished|搜索完成)/).waitFor({ timeout: 60_000 });
  await page.waitForLoadState("networkidle"); // each result fetches its page, to show what is there
  const links = await results.locator("li > a").evaluateAll((all) => all.slice(0, 5).map((link) => link.href.split(/[?#]/)[0]));
  const text = await results.textContent();
  await page.close();
  return { links, text };
}

/** The address of the result that the search shows first; the others are still being looked up. */
export async function bestFound(context, origin, words) {
  const page = await context.newPage();
  await page.goto(`${origin}search.html?q=${encodeURIComponent(words)}`);
  const address = await page.locator("#search-results li > a").first().evaluate((link) => link.href.split(/[?#]/)[0]);
  await page.close();
  return address;
}

/** The code of the first block of a page, and what its button has put into the clipboard. */
export async function copied(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  const block = page.locator("div.highlight").first();
  await block.hover();
  await block.locator("button.copybtn").click();
  const clipboard = await page.evaluate(() => navigator.clipboard.readText());
  const shown = (await block.locator("pre").textContent()).trim();
  await page.close();
  return { shown, clipboard };
}

/** The background of a page, before and after its button for the dark is pressed, and that of the page once more loaded. */
export async function switched(context, url) {
  const background = () => getComputedStyle(document.body).backgroundColor;
  const page = await context.newPage();
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(url);
  const before = await page.evaluate(background);
  await page.locator(".theme-toggle:visible").first().click();
  const after = await page.evaluate(background);
  await page.reload();
  const next = await page.evaluate(background);
  await page.evaluate(() => localStorage.clear());
  await page.close();
  return { before, after, next };
}

/** The titles of the tutorials in the table of contents at the side. */
export async function tutorialTitles(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  const titles = await page.locator('.sidebar-tree li.toctree-l2 > a[href*="tutorials/"]').allTextContents();
  await page.close();
  return titles;
}

/** The names of the files that a page offers for download, each after the browser has it. */
export async function downloaded(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  const names = [];
  for (const link of await page.locator("a[download]").all()) {
    const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
    assert.equal(await file.failure(), null);
    names.push(file.suggestedFilename());
  }
  await page.close();
  return names;
}
