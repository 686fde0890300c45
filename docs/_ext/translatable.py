r"""Sphinx extension: what a translator is asked for, beside paragraphs, titles, cells and captions.

- the ``<summary>`` of a folded answer, which is HTML and would be left out;
- the words ``\text{…}`` in a display formula: the whole formula is asked for, but only if it has any.

Not asked for: what directives write on the pages of the reference. It comes from the code and stays English.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator

GENERATED = ("reference/api/index", "reference/cli", "reference/equations")  # pages whose directives write text
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
FOLD = re.compile(r"<details>\s*<summary>([^<]*)</summary>\s*")
WORDS = re.compile(r"\\text\s*\{[^}]*[^\W\d_]{2}")


class summary(nodes.General, nodes.TextElement):  # noqa: N801 - docutils names a node in lower case
    """What is seen of a folded answer."""


class worded_formula(addnodes.translatable, nodes.Element):  # type: ignore[misc] # noqa: N801
    """Holds a display formula with words in it; the formula is the message."""

    def preserve_original_messages(self) -> None:
        """Keep the English."""
        self["original"] = self.children[0].astext()

    def apply_translated_message(self, original_message: str, translated_message: str) -> None:
        """Put the translation in its place."""
        formula = self.children[0]
        formula.children = []
        formula += nodes.Text(translated_message)

    def extract_original_messages(self) -> Sequence[str]:
        """One message."""
        return [self["original"]]


class SkipGenerated(SphinxTransform):
    """Leaves out the texts of a page that are not in its file."""

    default_priority = 4

    def apply(self, **kwargs: Any) -> None:
        """Mark them; blocks between fences are input of directives, and no text of the page."""
        if self.env.docname not in GENERATED:
            return
        page = BLOCK.sub("", Path(self.env.doc2path(self.env.docname)).read_text("utf-8"))
        written = {squeezed(part.lstrip("#")) for part in re.split(r"\n\s*\n", page)}
        for node in self.document.findall(nodes.TextElement):
            if not isinstance(node, nodes.Inline) and squeezed(node.rawsource or node.astext()) not in written:
                node["translatable"] = False


def squeezed(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


class AskForWords(SphinxTransform):
    """Makes the words into nodes that Sphinx extracts and translates."""

    default_priority = 5  # before Sphinx keeps the originals (10) and puts in the translations (20)

    def apply(self, **kwargs: Any) -> None:
        """Split the opening of every fold, and wrap every formula with words."""
        for raw in list(self.document.findall(nodes.raw)):
            if match := FOLD.fullmatch(raw.astext()):
                raw.parent.replace(raw, opening(raw, match[1]))
        for formula in list(self.document.findall(nodes.math_block)):
            asked_for = formula.get("translatable", True)
            formula["translatable"] = False
            if asked_for and WORDS.search(formula.astext()):
                wrapper = worded_formula()
                formula.parent.replace(formula, wrapper)
                wrapper += formula


def opening(raw: nodes.raw, text: str) -> list[nodes.Node]:
    """``<details>`` and the summary, which knows where it stands."""
    node = summary(text.strip(), text.strip())
    node.source, node.line = raw.source, raw.line
    return [nodes.raw("", "<details>", format="html"), node]


def visit_summary(self: HTML5Translator, node: nodes.Element) -> None:
    """Open the tag."""
    self.body.append(self.starttag(node, "summary", ""))


def depart_summary(self: HTML5Translator, node: nodes.Element) -> None:
    """Close the tag."""
    self.body.append("</summary>\n")


def nothing(self: HTML5Translator, node: nodes.Element) -> None:
    """A wrapper shows as what it holds."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the nodes and the transform."""
    app.add_node(summary, html=(visit_summary, depart_summary))
    app.add_node(worded_formula, html=(nothing, nothing))
    app.add_transform(SkipGenerated)
    app.add_transform(AskForWords)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
