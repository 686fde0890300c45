"""Sphinx extension: the offline search of the Chinese pages.

Chinese has no spaces. jieba cuts the pages into words while the index is made, and is told the terms of the glossary,
some of which it would cut differently from page to page. The browser has no jieba and cuts a query by the words of the
index, the longest first.
"""

import logging
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese

GLOSSARY = Path(__file__).parents[1] / "reference" / "glossary.md"

CUT_QUERY = r"""
const longestWord = (text, words) => {
  for (let length = Math.min(text.length, 8); length > 1; length--)
    if (words.has(text.slice(0, length))) return text.slice(0, length);
  return text[0];
};

const cutChinese = (text, words) => {
  const found = [];
  for (let rest = text; rest; rest = rest.slice(found.at(-1).length)) found.push(longestWord(rest, words));
  return found.some((word) => word.length > 1) ? found.filter((word) => word.length > 1) : [text];
};

var splitQuery = (query) => {
  const index = Search._index;
  const words = new Set([...Object.keys(index.terms), ...Object.keys(index.titleterms)]);
  const parts = query.match(/\p{Script=Han}+|(?:(?!\p{Script=Han})[\p{Letter}\p{Number}_])+/gu) ?? [];
  return parts.flatMap((part) => (/\p{Script=Han}/u.test(part) ? cutChinese(part, words) : [part]));
};
"""


class Chinese(SearchChinese):
    """Sphinx's, with a browser that cuts queries."""

    language_name = "English"  # whose stemmer it uses: Sphinx 9.0 looks for a "ChineseStemmer", and every search fails
    js_splitter_code = CUT_QUERY

    def __init__(self, options: dict[str, str]) -> None:
        import jieba  # without it Sphinx would say nothing, and make an empty index

        jieba.setLogLevel(logging.WARNING)  # it tells at length how it loads its dictionary
        super().__init__(options)
        for term in re.findall(r"^[\u4e00-\u9fff]{2,}$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE):
            jieba.add_word(term)


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of Sphinx's own class for ``zh``."""
    app.add_search_language(Chinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
