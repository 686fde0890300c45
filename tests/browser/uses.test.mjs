// What a reader does with the site: search, copy, switch to the dark.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { skip, start } from "./browser.mjs";
import { serve, SITE } from "./site.mjs";
import { bestFound, copied, downloaded, firstFound, switched, tutorialTitles } from "./uses.mjs";

// What is asked, and the page that answers it.
const QUESTIONS = {
  "": { "two floors": "explanation/tiny-world.html", "causal mask": "tutorials/05-self-attention-as-written.html" },
  "zh/": { 因果掩码: "tutorials/05-self-attention-as-written.html", "多块 GPU": "howto/train-on-several-gpus.html" },
};
// What is asked, and a tutorial must come first.
const TAUGHT = { "": ["attention", "train", "tokenizer"], "zh/": ["注意力", "训练", "分词"] };
// The name of a function leads to its entry.
const NAMED = { "": ["multi_head_attention"], "zh/": ["multi_head_attention"] };
const NOTEBOOK = "tutorials/05-self-attention-as-written";
const WITH_CODE = "index.html";

let browser, context, site;

before(async () => {
  if (skip) return;
  [browser, site] = await Promise.all([start(), serve(SITE)]);
  context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
});
after(() => skip || Promise.all([browser.close(), site.close()]));

for (const [language, questions] of Object.entries(QUESTIONS)) {
  const origin = () => site.origin + language;
  const missing = existsSync(`${SITE}/${language}index.html`) ? false : "this language is not built";

  describe(`a reader of /${language}`, { skip: skip || missing }, () => {
    for (const [words, answer] of Object.entries(questions)) {
      test(`who searches for "${words}" finds ${answer}`, async () => {
        const { links, text } = await firstFound(context, origin(), words);
        assert.ok(links.includes(origin() + answer), `found ${links.join(" ")}`);
        // A line break in a string of Python is no LaTeX.
        assert.doesNotMatch(text, /\\(?!n(?!e|u|abla|ot))[a-z]+[{ ]/, "LaTeX among the results");
      });
    }

    for (const words of TAUGHT[language]) {
      test(`who searches for "${words}" finds a tutorial first`, async () => {
        assert.match(await bestFound(context, origin(), words), new RegExp(`^${origin()}tutorials/[0-9o]`));
      });
    }

    for (const name of NAMED[language]) {
      test(`who searches for ${name} finds its entry first`, async () => {
        assert.match(await bestFound(context, origin(), name), new RegExp(`^${origin()}reference/api/`));
      });
    }

    test("sees the titles of the tutorials in the language of the site", async () => {
      const titles = await tutorialTitles(context, `${origin()}index.html`);
      assert.ok(titles.length > 10);
      for (const title of titles) assert.equal(/\p{Script=Han}/u.test(title), language === "zh/", title);
    });

    test("downloads a notebook and its source", async () => {
      const names = await downloaded(context, `${origin()}${NOTEBOOK}.html`);
      assert.deepEqual(names, ["05-self-attention-as-written.ipynb", "05-self-attention-as-written.py"]);
    });

    test("copies the code of a block, and nothing else, by its button", async () => {
      const { shown, clipboard } = await copied(context, origin() + WITH_CODE);
      assert.equal(clipboard, shown.replace(/^\$ /gm, "")); // without the prompts
    });

    test("switches to the dark, and it stays dark on the next page", async () => {
      const { before, after, next } = await switched(context, origin() + WITH_CODE);
      assert.notEqual(after, before);
      assert.equal(next, after);
    });
  });
}
