// What must hold on a page. Each check returns what it found wrong, a line each; nothing is as it should be.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const VIEWS = [1280, 390].flatMap((width) => ["light", "dark"].map((colorScheme) => ({ width, colorScheme })));

// The long pages of the reference, all of one make, are shown to axe in two views that have both widths and both schemes.
const axeViews = (url) => VIEWS.filter((view, i) => i === 0 || i === 3 || !url.includes("/reference/api/"));

/** Open a page and check it in every view. Its links and anchors come back too, to be compared with other pages'. */
export async function look(context, url) {
  const page = await context.newPage();
  const wrong = listen(page);
  await page.goto(url);
  wrong.push(...(await page.evaluate(formulas)), ...(await page.evaluate(pictures)), ...(await page.evaluate(copyButtons)));
  const { links, anchors } = await page.evaluate(references);
  for (const view of VIEWS.filter(({ colorScheme }) => colorScheme === "light")) wrong.push(...(await inView(page, view, sideways)));
  await page.evaluate(shorten);
  await page.evaluate(axe);
  for (const view of axeViews(url)) wrong.push(...(await inView(page, view, accessibility, view === VIEWS[0])));
  await page.close();
  return { wrong, links, anchors };
}

/** Collect what the console and the network complain of. */
export function listen(page) {
  const wrong = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`console: ${error.message}`));
  page.on("requestfailed", (request) => wrong.push(`request: ${request.url()}: ${request.failure().errorText}`));
  page.on("response", (response) => response.ok() || wrong.push(`request: ${response.url()}: ${response.status()}`));
  return wrong;
}

async function inView(page, { width, colorScheme }, check, argument) {
  await page.setViewportSize({ width, height: 844 });
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  const wrong = await page.evaluate(check, argument);
  return wrong.map((line) => `${line} (at ${width} px, ${colorScheme})`);
}

// From here on the functions run in the page.

/** Every formula is rendered, in KaTeX's own fonts, and no LaTeX is left in the text. */
async function formulas() {
  await document.fonts.ready;
  const bare = [...document.querySelectorAll(".math")].filter((node) => !node.querySelector(".katex"));
  const fonts = [...document.fonts].filter((font) => font.family.includes("KaTeX"));
  const needed = document.querySelector(".katex") !== null;
  const wrong = [...bare, ...document.querySelectorAll(".katex-error")].map((node) => `formula: not rendered: ${node.textContent}`);
  wrong.push(...fonts.filter((font) => font.status === "error").map((font) => `formula: no font ${font.family}`));
  if (needed && !fonts.some((font) => font.status === "loaded")) wrong.push("formula: none of KaTeX's fonts is loaded");
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    if (parentElement.closest("pre, code, script, style, .sig, .katex")) continue;
    if (/[\u{E000}-\u{F8FF}\u{F0000}-\u{10FFFD}]/u.test(data)) wrong.push(`formula: still hidden: ${parentElement.outerHTML.slice(0, 80)}`);
    const latex = data.match(/\$[^\s$][^$\n]*\$|\\(?!x[0-9a-f]{2})[a-z]+\b[\s{_^\\]/i);
    if (latex) wrong.push(`formula: LaTeX in the text: ${latex[0]}`);
  }
  return wrong;
}

/** Every picture is there and says what it shows. */
async function pictures() {
  const all = [...document.images];
  for (const image of all) image.loading = "eager";
  await Promise.all(all.map((image) => image.decode().catch(() => {})));
  return all.flatMap((image) => {
    const name = image.src.slice(-60);
    const missing = image.naturalWidth > 0 ? [] : [`picture: not loaded: ${name}`];
    return image.alt.trim() ? missing : [...missing, `picture: no text instead: ${name}`];
  });
}

/** Every block of code can be copied by a button. */
function copyButtons() {
  const blocks = [...document.querySelectorAll("div.highlight")].filter((block) => !block.querySelector("button.copybtn"));
  return blocks.map((block) => `copy: no button: ${block.textContent.trim().slice(0, 40)}`);
}

/** Where the page's links lead within the site, and what can be led to on it. */
function references() {
  const links = [...document.querySelectorAll("a[href]")].map((link) => link.href);
  return {
    links: [...new Set(links)].filter((link) => link.startsWith(location.origin)),
    anchors: [...document.querySelectorAll("[id]")].map((node) => node.id),
  };
}

/** Nothing is wider than the page, but what scrolls by itself: neither does the page scroll sideways, nor is a line cut off. */
function sideways() {
  const { scrollWidth, clientWidth } = document.documentElement;
  const scrolls = (node) => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  const inside = (node) => node.tagName !== "ARTICLE" && (scrolls(node.parentElement) || inside(node.parentElement));
  const sticksOut = (node) => node.getBoundingClientRect().right > clientWidth + 1 && !inside(node);
  const all = [...document.querySelectorAll("article *:not(.katex-mathml *, .katex svg *)")]; // KaTeX hides what these are inside
  const wide = all.filter(sticksOut).map((node) => `sideways: ${node.outerHTML.slice(0, 80)}`);
  return scrollWidth > clientWidth ? [`sideways: the page is ${scrollWidth} px wide`, ...wide.slice(0, 3)] : wide.slice(0, 3);
}

/** Formulas, signatures and tokens of code are thousands of nodes, and axe would take minutes: of each kind the first few stay. */
function shorten() {
  const seen = {};
  const isOneOfMany = ({ className }) => (seen[className] = (seen[className] ?? 0) + 1) > 3;
  for (const fold of document.querySelectorAll("details:not([open])")) fold.replaceChildren(fold.querySelector("summary"));
  for (const node of [...document.querySelectorAll(".katex, .sig, .highlight span")].filter(isOneOfMany)) {
    node.replaceChildren(node.querySelector("annotation")?.textContent ?? node.textContent);
    if (node.tagName === "SPAN") node.replaceWith(...node.childNodes);
  }
}

/** axe finds nothing serious: all its rules, or those alone that depend on the view. */
async function accessibility(everything) {
  const rules = everything ? undefined : ["color-contrast", "scrollable-region-focusable"];
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.flatMap(({ id, nodes }) => nodes.map((node) => `axe: ${id}: ${node.html.slice(0, 160)}`));
}
