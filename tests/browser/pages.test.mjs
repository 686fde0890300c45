// Every page of the built site, in every view: make test-browser.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { skip, start } from "./browser.mjs";
import { look } from "./checks.mjs";
import { pagesOf, serve, SITE } from "./site.mjs";

// The Chinese site has the reference in English: what was made once is looked at once. Of the pages of source code, all of one make, one.
const isSeenElsewhere = (path) => /^zh\/(reference\/api|_modules)\/./.test(path) && path !== "zh/reference/api/index.html";
const isSource = (path) => path.startsWith("_modules/") && path !== "_modules/minigpt/model/attention.html";
// ONE_IN=4 looks at every fourth page, and at all that a reader begins with.
const isFirst = (path) => /^(index\.html|tutorials\/|howto\/)/.test(path);
const oneIn = Number(process.env.ONE_IN ?? 1);
const all = (await pagesOf(SITE)).filter((path) => !isSeenElsewhere(path) && !isSource(path));
const pages = all.filter((path, i) => i % oneIn === 0 || isFirst(path));
const anchorsOf = {}; // by address
const linksOf = {};
let browser, context, site;

before(async () => {
  if (skip) return;
  [browser, site] = await Promise.all([start(), serve(SITE)]);
  context = await browser.newContext();
});
after(() => skip || Promise.all([browser.close(), site.close()]));

describe("each page is whole, at both widths, light and dark", { skip, concurrency: 2 }, () => {
  for (const path of pages) {
    test(path, async () => {
      const url = site.origin + path;
      const { wrong, links, anchors } = await look(context, url);
      anchorsOf[url] = new Set(anchors);
      linksOf[path] = links;
      assert.equal(wrong.join("\n"), "");
    });
  }
});

test("every link within the site leads somewhere", { skip }, () => {
  const leadsNowhere = (link) => {
    const [url, anchor] = link.split("#");
    const file = decodeURIComponent(url.slice(site.origin.length));
    if (!(url in anchorsOf)) return !existsSync(`${SITE}/${file}`);
    return anchor && !anchorsOf[url].has(decodeURIComponent(anchor));
  };
  const nowhere = Object.entries(linksOf).flatMap(([path, links]) => links.filter(leadsNowhere).map((link) => `${path}: ${link}`));
  assert.equal(nowhere.join("\n"), "");
});
