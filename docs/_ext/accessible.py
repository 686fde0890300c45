"""Sphinx extension: what Sphinx, MyST-NB and Furo write, mended for a keyboard, a screen reader and a phone."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

LONGEST_ROW = 88  # characters: a line of output beyond it is a sentence, not the row of a table
COLUMNS = "  "  # spaces in a row stand between columns

MENDS = [
    # The captions of the table of contents are headings of no level.
    (re.compile(r'(<p class="caption" role="heading")>'), r'\1 aria-level="2">'),
    # A signature on several lines is a list of definitions in which nothing is defined.
    (re.compile(r"<dl>(?=\s*<dd>)"), '<dl role="presentation">'),
    # Long lines scroll sideways: the keyboard must be able to reach them. So must it a wide table.
    (re.compile(r"<pre>(?=<span></span>)"), '<pre tabindex="0">'),
    (re.compile(r'(<div class="table-wrapper[^"]*")>'), r'\1 tabindex="0">'),
]


def mend(html: str) -> str:
    """The same HTML, mended."""
    for found, replacement in MENDS:
        html = found.sub(replacement, html)
    return html


def mend_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Mend a page's text and its table of contents, which are there once Furo has had its turn."""
    for part in {"body", "furo_navigation_tree"} & context.keys():
        context[part] = mend(context[part])


class MarkSentences(SphinxPostTransform):
    """Printed sentences are marked, so that they wrap; a table must not."""

    default_priority = 900  # once MyST-NB has chosen the outputs

    def run(self, **kwargs: Any) -> None:
        """Mark them."""
        for block in filter(is_sentences, self.document.findall(nodes.literal_block)):
            block["classes"].append("sentences")


def is_sentences(block: nodes.literal_block) -> bool:
    """Whether the block is what a cell or a snippet printed, and without columns or too wide for a table."""
    text = block.astext()
    printed = "stream" in block["classes"] or block.get("language") == "output"
    return printed and (COLUMNS not in text or max(map(len, text.split("\n"))) > LONGEST_ROW)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps."""
    app.add_post_transform(MarkSentences)
    app.connect("html-page-context", mend_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
