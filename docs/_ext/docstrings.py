r"""Sphinx extension: docstrings as this project writes them, fit for autodoc.

- ``$...$`` and ``$$...$$`` become formulas.
- Lines such as ``Source: Vaswani et al. 2017`` become fields.
- What implements an equation shows it, below the first paragraph.
- The fields of a named tuple are described in its docstring, and not once more as "alias for field number 0".
- The entry of a table does not repeat the table: its value is its code.

reStructuredText would read a formula's backslashes, stars and underscores as markup. So the formulas are hidden before
it looks – every character is moved into a private area of Unicode – and brought back as math nodes afterwards. That
keeps each line as long as it was, and with it the columns of tables.
"""

import inspect
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc_annotation
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from minigpt.equations import Equation

HIDDEN = 0xF0000  # the first code point of Unicode's private plane 15
FORMULA = re.compile(r"``.*?``|\$\$(?!\$).+?\$\$|\$(?![\s$])[^$]+?\$", re.DOTALL)
HIDDEN_COLON, HIDDEN_DOLLAR = (chr(HIDDEN + ord(character)) for character in ":$")
HIDDEN_FORMULA = re.compile(f"({HIDDEN_DOLLAR}+[^{HIDDEN_DOLLAR}]+{HIDDEN_DOLLAR}+)")
ENUMERATOR = re.compile(r"(:\s+[A-Z])\.$")
LABEL = re.compile(r"(Dimensions|Mask polarity|Departure|Source(?: of [\w -]+)?): (?=\S)")


def show_equation(app: Sphinx, what: str, name: str, obj: Any, options: object, lines: list[str]) -> None:
    """Before all else: the registered equation of a function, class or property, and its source, as docstring lines."""
    thing = obj.fget if isinstance(obj, property) else obj
    equation = getattr(thing, "__dict__", {}).get("equation")
    if isinstance(equation, Equation):
        end = lines.index("") if "" in lines else len(lines)
        latex = " ".join(equation.display.split())  # an indented line would begin a list of definitions
        lines[end:end] = ["", latex, "", f"Source: {equation.source}.", ""]


def hide(text: str) -> str:
    """Move every formula of ``text`` out of reStructuredText's sight; literals and line breaks stay."""

    def shifted(match: re.Match[str]) -> str:
        found = match[0]
        return found if found.startswith("`") else re.sub(r"\S", lambda c: chr(HIDDEN + ord(c[0])), found)

    return FORMULA.sub(shifted, text)


def show(text: str) -> str:
    """Undo :func:`hide`."""
    return re.sub(r"[\U000F0000-\U000FFFFD]", lambda c: chr(ord(c[0]) - HIDDEN), text)


def hide_formulas(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Before napoleon reads the sections: a colon in a formula, or in the sentence on a property, is no separator.

    Nor does a dimension that is all there is to say, as in ``d_model: D.``, begin a list.
    """
    lines[:] = [ENUMERATOR.sub(r"\1\\.", line) for line in hide("\n".join(lines)).split("\n")]
    if what in ("attribute", "data", "property"):
        lines[0] = lines[0].replace(": ", f"{HIDDEN_COLON} ")


def label_fields(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """After napoleon: a line that opens with one of the labels becomes a field, up to the next label or blank line."""
    fields, in_field = [], False
    for line in (line.replace(HIDDEN_COLON, ":") for line in lines):
        if LABEL.match(line):
            if not in_field and fields and fields[-1] and not fields[-1].startswith((":", " ")):
                fields.append("")
            line, in_field = ":" + line, True
        elif in_field and line.strip():
            line = "   " + line
        else:
            in_field = False
        fields.append(line)
    lines[:] = fields


def readable_defaults(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """What Python shows and cannot read: ``<factory>``, a function as a default, this machine's word for ``Path``.

    A class that takes ``(*args, **kwargs)`` is a protocol or a rule for autograd, and nobody calls it.
    """
    if what == "class" and signature == "(*args, **kwargs)":
        return None, returns
    shown = re.sub(r"\b(Posix|Windows)Path\(", "Path(", signature or "").replace("<factory>", "...")
    shown = re.sub(r"<function ([\w.]+)(?: at \w+)?>", r"\1", shown)
    return shown or None, returns


def skip_field(app: Sphinx, what: str, name: str, obj: object, skipped: bool, options: object) -> bool | None:
    """Whether a member is the field of a named tuple, which has no text of its own; ``None``: as autodoc would."""
    return True if (inspect.getdoc(obj) or "").startswith("Alias for field number") else None


class ShowFormulas(SphinxTransform):
    """Brings the hidden formulas back, as math nodes."""

    default_priority = 200

    def apply(self, **kwargs: Any) -> None:
        """Replace every text that holds a hidden formula."""
        for text in list(self.document.findall(nodes.Text)):
            if HIDDEN_FORMULA.search(text):
                text.parent.replace(text, list(pieces(text)))
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if any(isinstance(child, nodes.math_block) for child in paragraph):
                paragraph.replace_self(list(split_at_displays(paragraph)))


def pieces(text: str) -> Iterator[nodes.Node]:
    """The text and math nodes that ``text`` consists of."""
    for piece in HIDDEN_FORMULA.split(text):
        latex = show(piece)
        if latex.startswith("$$"):
            latex = latex.strip("$").strip()
            yield nodes.math_block(latex, latex, number=None, label=None, nowrap=False)
        elif latex != piece:
            latex = latex.strip("$").strip()
            yield nodes.math(latex, latex)
        elif piece:
            yield nodes.Text(piece)


def split_at_displays(paragraph: nodes.paragraph) -> Iterator[nodes.Node]:
    """A display formula stands between paragraphs, not in one."""
    for is_display, group in groupby(paragraph.children, lambda child: isinstance(child, nodes.math_block)):
        members = list(group)
        for node in members if is_display else [nodes.paragraph("", "", *members)]:
            node.source, node.line = paragraph.source, paragraph.line
            yield node


class HideTables(SphinxTransform):
    """Takes the values of dictionaries out of the signatures of constants."""

    default_priority = 200

    def apply(self, **kwargs: Any) -> None:
        """Remove each; the option ``no-value`` does not reach the members of a module."""
        for annotation in list(self.document.findall(desc_annotation)):
            if annotation.astext().startswith(" = {"):
                annotation.parent.remove(annotation)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps around napoleon, the signatures' step, and the transforms."""
    app.connect("autodoc-process-docstring", show_equation, priority=50)
    app.connect("autodoc-process-docstring", hide_formulas, priority=100)
    app.connect("autodoc-process-docstring", label_fields, priority=900)
    app.connect("autodoc-process-signature", readable_defaults)
    app.connect("autodoc-skip-member", skip_field)
    app.add_transform(ShowFormulas)
    app.add_transform(HideTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
