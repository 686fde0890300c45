// Each check is shown to find what it is for: a fault is planted in a page, and the check must name it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { skip, start } from "./browser.mjs";
import { look } from "./checks.mjs";
import { serve, SITE } from "./site.mjs";

const PAGE = "index.html";
const into = (planted) => (html) => html.replace(/<article role="main"[^>]*>/, (article) => article + planted);

// The fault, how it is planted, and the words by which the check must name it.
const FAULTS = [
  ["a message of the console", into('<script>console.error("planted")</script>'), "console: planted"],
  ["a script that throws", into('<script>throw new Error("planted")</script>'), "console: planted"],
  ["a file that is not there", into('<script src="planted.js"></script>'), "request: .*planted.js: 404"],
  ["a script from the network", into('<script src="https://example.com/x.js"></script>'), "request: https://example.com/x.js"],
  ["an address of the network", into('<script src="http://1.1.1.1/x.js"></script>'), "request: http://1.1.1.1/x.js"],
  ["a formula that is not rendered", into('<span class="math">x^2</span>'), "formula: not rendered: x\\^2"],
  ["dollars in the text", into("<p>where $x_i$ is</p>"), "formula: LaTeX in the text: \\$x_i\\$"],
  ["LaTeX in the text", into("<p>one \\frac{1}{2}</p>"), "formula: LaTeX in the text: \\\\frac"],
  ["a formula that stayed hidden", into("<p>one \u{F0078}</p>"), "formula: still hidden: <p>one"],
  ["no style sheet of KaTeX", (html) => html.replace(/<link[^>]*katex.min.css[^>]*>/, ""), "formula: none of KaTeX's fonts"],
  ["a picture without alternative text", into('<img src="_static/file.png">'), "picture: no text instead"],
  ["a picture that is broken", into('<img alt="planted" src="data:image/png;base64,AAAA">'), "picture: not loaded"],
  ["code without a button", (html) => html.replace(/<script[^>]*copybutton.js[^>]*><\/script>/, ""), "copy: no button: import torch"],
  ["text wider than a phone", into('<p style="width: 500px">planted</p>'), "sideways: .*390 px, light"],
  ["pale text in the light", into('<p style="color: light-dark(#bbb, #eee)">planted</p>'), "axe: color-contrast.*light"],
  ["dim text in the dark", into('<p style="color: light-dark(#222, #444)">planted</p>'), "axe: color-contrast.*dark"],
  ["a button without a name", into("<button></button>"), "axe: button-name"],
];

let browser, context;

before(async () => {
  if (skip) return;
  browser = await start();
  context = await browser.newContext();
});
after(() => skip || browser.close());

async function found(change) {
  const site = await serve(SITE, change);
  const { wrong } = await look(context, site.origin + PAGE);
  await site.close();
  return wrong;
}

describe("what is planted is found", { skip, concurrency: 2 }, () => {
  test("nothing is found where nothing is planted", async () => assert.deepEqual(await found(), []));
  for (const [fault, plant, words] of FAULTS) {
    test(fault, async () => {
      const wrong = await found(plant);
      assert.ok(wrong.some((line) => new RegExp(words).test(line)), `found only: ${wrong.join("\n")}`);
    });
  }
});
