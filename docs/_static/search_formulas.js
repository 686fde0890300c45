// What the search shows of a page: a formula there is its picture, its MathML and its LaTeX in a row, which no one can read.
if (typeof Search !== "undefined") {
  const { htmlToText } = Search;
  const shortened = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const formula of page.querySelectorAll("div.math")) formula.replaceChildren(" … ");
    for (const node of page.querySelectorAll(".katex-html, .katex annotation")) node.remove();
    return page.documentElement.outerHTML;
  };
  Search.htmlToText = (html, anchor) => htmlToText(shortened(html), anchor);
}
