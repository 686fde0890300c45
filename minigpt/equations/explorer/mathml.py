"""Formulas typeset as MathML from their own syntax trees."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape

from minigpt.equations.board import SIGNS
from minigpt.equations.parse import Node, letter_of

#: Attributes of the element that shows a node, such as `` id="x"``; nothing for most nodes.
Marks = Callable[[Node], str]

_NAME = re.compile(
    r"(?P<accent>\\(?:hat|bar)(?=\{))?"
    r"(?P<base>\{\\?[a-zA-Z]+\}|\\(?:mathrm|operatorname)\{[^}]*\}|\\[a-zA-Z]+|[a-zA-Z])"
    r"(?P<prime>'*)(?P<scripts>(?:[_^](?:\{(?:[^{}]|\{[^}]*\})*\}|\w))*)$"
)
_SCRIPT = re.compile(r"([_^])(\{(?:[^{}]|\{[^}]*\})*\}|\w)")
_DERIVATIVE = re.compile(r"\\frac\{\\partial (.*)\}\{\\partial (.*)\}$")
ACCENTS = {r"\hat": "^", r"\bar": "‾"}
OPERATORS = {"add": "+", "subtract": "−", "dot": "·", "hadamard": "⊙", "quotient": "/", "modulo": "mod"}
RELATION_SIGNS = {r"\le": "≤", r"\ge": "≥", r"\ne": "≠"}
REDUCTION_SIGNS = {
    **{r"\sum": "∑", r"\prod": "∏", r"\max": "max", r"\min": "min"},
    **{r"\arg\max": "arg max", r"\arg\min": "arg min"},
}
FENCES = {"group": "()", "absolute": "||", "norm": "‖‖", "ceiling": "⌈⌉", "floor": "⌊⌋"}


def tag(name: str, *inside: str, attributes: str = "") -> str:
    """An element."""
    return f"<{name}{attributes}>{''.join(inside)}</{name}>"


def operator(sign: str, attributes: str = "") -> str:
    """A sign between operands, or a fence."""
    return tag("mo", escape(sign), attributes=attributes)


def identifier(word: str) -> str:
    r"""A letter, a Greek letter or a word: ``x``, ``\alpha``, ``\mathrm{softmax}``, ``\max``."""
    inner = re.sub(r"\\(?:mathrm|operatorname)\{\\?([^}]*)\}", r"\1", word).strip("{}")
    inner = inner.lstrip("\\")
    return tag("mi", escape(SIGNS.get(inner, inner)))


def scripted(base: str, below: str, above: str) -> str:
    """A base with a subscript and a superscript, each of which may be missing."""
    if below and above:
        return tag("msubsup", base, below, above)
    return tag("msub" if below else "msup", base, below or above) if below or above else base


def touchable(shown: str, attributes: str) -> str:
    """An element around another one; screen readers are told what its attributes say, not what it shows."""
    return (
        tag("mrow", tag("mrow", shown, attributes=' aria-hidden="true"'), attributes=attributes)
        if attributes
        else shown
    )


def words_of(script: str) -> str:
    """A subscript or superscript of a name: letters, words, numbers and signs."""
    parts = re.findall(r"\\?[a-zA-Z]+|\d+|[^\s{}]", script)
    shown = [
        identifier(part) if part.lstrip("\\").isalpha() else tag("mn", part) if part.isdigit() else operator(part)
        for part in parts
    ]
    return tag("mrow", *shown) if len(shown) > 1 else shown[0]


def name(latex: str, indices: str = "") -> str:
    r"""A name, ``\hat{m}_t`` or ``W^{Q}``, with the indices that follow it."""
    if derivative := _DERIVATIVE.match(latex):
        parts = [tag("mrow", operator("∂"), name(part)) for part in derivative.groups()]
        return scripted(tag("mfrac", *parts), indices, "")
    match = _NAME.match(latex)
    assert match is not None, latex
    base = identifier(match["base"])
    if match["accent"]:
        base = tag("mover", base, operator(ACCENTS[match["accent"]], ' stretchy="false"'), attributes=' accent="true"')
    scripts = dict(_SCRIPT.findall(match["scripts"]))
    above = words_of(scripts["^"].strip("{}")) if "^" in scripts else ""
    if match["prime"]:
        primes = operator("′" * len(match["prime"]))
        above = tag("mrow", primes, above) if above else primes
    below = words_of(scripts["_"][1:-1] if scripts["_"].startswith("{") else scripts["_"]) if "_" in scripts else ""
    if below and indices:
        return scripted(scripted(base, below, ""), indices, above)
    return scripted(base, below or indices, above)


class Typesetter:
    """Writes the nodes of one formula.

    Args:
        marks: attributes of the elements that show symbols and the signs of sums.
    """

    def __init__(self, marks: Marks = lambda _: "") -> None:
        self.marks = marks
        self._in_index = False

    def math(self, row: Node) -> str:
        """A row as a ``math`` element that is shown by itself; a screen reader is told of its parts alone."""
        return tag("math", self.node(row), attributes=' display="block" role="presentation"')

    def node(self, node: Node) -> str:
        """The MathML of a node; a token is a name or a number."""
        if not hasattr(node, "data"):
            return name(str(node))
        if (sign := OPERATORS.get(node.data)) is not None:
            return tag("mrow", self.node(node.children[0]), operator(sign), self.node(node.children[1]))
        if (fence := FENCES.get(node.data)) is not None:
            inside = tag("mrow", operator(fence[0]), self.node(node.children[0]), operator(fence[1]))
            return scripted(inside, self.node(node.children[1]), "") if len(node.children) > 1 else inside
        return str(getattr(self, f"_{node.data}")(node))

    def _indices(self, indices: Sequence[Node]) -> str:
        was, self._in_index = self._in_index, True
        shown = [self.node(index) for index in indices]
        self._in_index = was
        comma = [] if all(map(letter_of, indices)) else [operator(",")]
        parts = [part for each in shown for part in (*comma, each)][len(comma) :]
        return tag("mrow", *parts) if parts else ""

    def _array(self, node: Node) -> str:
        shown = name(str(node.children[0]), self._indices(node.children[1:]))
        return shown if self._in_index else touchable(shown, self.marks(node))

    def _call(self, node: Node) -> str:
        function, arguments, *indices = node.children
        shown = tag("mrow", name(str(function)), self._fenced(arguments.children))
        return scripted(shown, self._indices(indices), "")

    def _signature(self, node: Node) -> str:
        return touchable(self._call(node), self.marks(node))

    def _fenced(self, parts: Sequence[Node]) -> str:
        shown = [part for each in parts for part in (operator(","), self.node(each))][1:]
        return tag("mrow", operator("("), *shown, operator(")"))

    def _definition(self, node: Node) -> str:
        return tag("mrow", self.node(node.children[0]), operator("="), self.node(node.children[1]))

    _equality = _definition

    def _comparison(self, node: Node) -> str:
        sides = [
            self.node(child) if place % 2 == 0 else operator(RELATION_SIGNS.get(str(child), str(child)))
            for place, child in enumerate(node.children)
        ]
        return tag("mrow", *sides)

    def _number(self, node: Node) -> str:
        return tag("mn", str(node.children[0]))

    def _negative(self, node: Node) -> str:
        return tag("mrow", operator("−"), self.node(node.children[0]))

    def _times(self, node: Node) -> str:
        left, right = (self.node(child) for child in node.children)
        return tag("mrow", left, operator("\u2062" if "<mn>" not in right[:5] else "·"), right)

    def _fraction(self, node: Node) -> str:
        return tag("mfrac", *(tag("mrow", self.node(child)) for child in node.children))

    def _power(self, node: Node) -> str:
        return tag("msup", tag("mrow", self.node(node.children[0])), tag("mrow", self.node(node.children[1])))

    def _transpose(self, node: Node) -> str:
        return tag("msup", tag("mrow", self.node(node.children[0])), operator("⊤"))

    def _root(self, node: Node) -> str:
        # msqrt needs a font for mathematics, which phones and plain Linux machines lack: they would show no sign
        inside = tag("mrow", self.node(node.children[0]), attributes=' style="border-top:1px solid"')
        return tag("mrow", operator("√"), inside)

    def _indicator(self, node: Node) -> str:
        return tag("mrow", tag("mn", "𝟙"), operator("["), self.node(node.children[0]), operator("]"))

    def _before(self, node: Node) -> str:
        return tag("mrow", operator("<"), self.node(node.children[0]))

    def _reduce(self, node: Node) -> str:
        sign, span, body = node.children
        below, above = self._span(span)
        shown = REDUCTION_SIGNS[str(sign)]
        base = operator(shown) if len(shown) == 1 else tag("mi", shown)
        kind = "munderover" if above else "munder"
        limits = tag(kind, base, below, *([above] if above else []))
        return tag("mrow", touchable(limits, self.marks(node)), self.node(body))

    def _span(self, span: Node) -> tuple[str, str]:
        was, self._in_index = self._in_index, True
        letter = self.node(span.children[0])
        if span.data == "from_to":
            below = tag("mrow", letter, operator("="), self.node(span.children[1]))
            limits = below, tag("mrow", self.node(span.children[2]))
        else:
            limits = self.node(span.children[1]) if span.data == "such_that" else letter, ""
        self._in_index = was
        return limits

    def _cases(self, node: Node) -> str:
        rows = []
        for case in node.children:
            value, *condition = (self.node(child) for child in case.children)
            when = tag("mrow", tag("mtext", "if "), condition[0]) if condition else tag("mtext", "otherwise")
            rows.append(tag("mtr", tag("mtd", value), tag("mtd", when)))
        return tag("mrow", operator("{"), tag("mtable", *rows, attributes=' columnalign="left left"'))
