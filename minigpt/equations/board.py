"""Equations as plain text, and their evaluation step by step, as a teacher writes it on the board."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from minigpt.equations.characters import SIGNS
from minigpt.equations.evaluate import Evaluator, Scope
from minigpt.equations.operations import RowVector
from minigpt.equations.parse import Node, chain, names_in

FORMS = {
    "definition": "{} = {}",
    "add": "{} + {}",
    "subtract": "{} - {}",
    "negative": "-{}",
    "times": "{} {}",
    "dot": "{} · {}",
    "hadamard": "{} ⊙ {}",
    "quotient": "{}/{}",
    "fraction": "{} / {}",
    "power": "{}^{}",
    "transpose": "{}ᵀ",
    "group": "({})",
    "root": "√({})",
    "norm": "‖{}‖",
    "absolute": "|{}|",
    "modulo": "{} mod {}",
    "ceiling": "⌈{}⌉",
    "floor": "⌊{}⌋",
    "indicator": "1[{}]",
    "equality": "{} = {}",
    "reduce": "{}_({}) {}",
    "from_to": "{}={}..{}",
    "over": "{}",
    "such_that": "{1}",
    "before": "<{}",
    "number": "{}",
}
LISTS = {"arguments": ", ", "parameters": ", ", "case": " if ", "cases": "; ", "comparison": " "}
# How tightly each form binds, and how tightly its parts must bind to need no parentheses.
BINDS = {
    "add": 1,
    "subtract": 1,
    "negative": 1,
    "modulo": 1,
    "fraction": 2,
    "quotient": 2,
    "dot": 2,
    "hadamard": 2,
    "reduce": 3,
    "times": 4,
}
NEEDS = {
    **{"fraction": (4, 5), "quotient": (4, 5), "power": (5, 5), "transpose": (5,)},
    **{"dot": (4, 3), "hadamard": (4, 3), "times": (4, 3), "modulo": (4, 4)},
}


class Steps(str):
    """Lines of text that show themselves in a notebook."""

    __slots__ = ()
    __repr__ = str.__str__


def number(value: Any) -> str:
    """A value to five digits, an array on one line."""
    return f"[{', '.join(map(number, value))}]" if np.ndim(value) else f"{float(value) + 0.0:.5g}"


def plain_name(latex: str) -> str:
    r"""``θ'`` for ``\theta'``."""
    name = re.sub(r"\\frac\{(.*)\}\{(\\partial .*)\}$", r"\1/\2", latex)
    name = re.sub(r"\\(hat|bar)\{(.*?)\}", lambda m: m[2] + {"hat": "\u0302", "bar": "\u0304"}[m[1]], name)
    name = re.sub(r"\\([a-zA-Z]+) ?", lambda m: SIGNS.get(m[1], m[1]), name)
    return re.sub(r"\{+(\w+)\}+", r"\1", name.replace("mathrm", "").replace("operatorname", ""))


class Writer:
    """Writes nodes as plain text."""

    def plain(self, node: Any, scope: Scope) -> str:
        """A node on one line, the letters in ``scope`` as numbers."""
        if not hasattr(node, "data"):
            return str(scope.get(node, plain_name(node)))
        *outer, first = chain(node)
        text = self.joined(first, [self.plain(child, scope) for child in first.children], scope)
        for each in reversed(outer):
            text = self.joined(each, [text, self.plain(each.children[1], scope)], scope)
        return text

    def joined(self, node: Node, texts: list[str], scope: Scope, *, are_values: bool = False) -> str:
        """The texts of the parts of a node put together; of its parts or of their values."""
        if node.data in LISTS:
            return LISTS[node.data].join(texts) + " otherwise" * (node.data == "case" and len(texts) == 1)
        if node.data in ("array", "call", "signature"):
            at = 1 if node.data == "array" else 2
            indices = ",".join(self.index(index, scope) for index in node.children[at:])
            below = f"_{{{indices}}}" if len(indices) > 1 else f"_{indices}" if indices else ""
            return texts[0] + "".join(f"({arguments})" for arguments in texts[1:at]) + below
        for i, child in enumerate(node.children):
            binds, needs = BINDS.get(getattr(child, "data", ""), 5), (*NEEDS.get(node.data, (2,)), 0)
            signed = texts[i].startswith("-") and node.data != "definition" and (i or node.data == "negative")
            if signed or (not are_values and node.data in (*NEEDS, "negative") and binds < needs[i]):
                texts[i] = f"({texts[i]})"
        form = FORMS[node.data] + "_{}" * (node.data == "norm" and len(texts) > 1)
        return re.sub(r"(\d) (\d)", r"\1·\2", form.format(*texts))

    def index(self, node: Node, scope: Scope) -> str:
        """An index or a part of one."""
        return self.plain(node, scope).replace(" ", "")


class Board(Writer):
    """Writes nodes with their values in one evaluation."""

    def __init__(self, evaluation: Evaluator) -> None:
        self.evaluation = evaluation

    def index(self, node: Node, scope: Scope) -> str:
        """An index, as a number where all its letters are known."""
        known = node.data != "before" and all(name in scope for name in names_in(node))
        return str(self.evaluation.integer(node, scope)) if known else super().index(node, scope)

    def of(self, node: Node, scope: Scope) -> Any:
        """The value of a node, which may be a factor of a product."""
        value = self.evaluation.value(node, scope, is_factor=True)
        return value.entries if isinstance(value, RowVector) else value

    def line(self, node: Node, scope: Scope) -> str:
        """The node in letters, then with the values of its parts, then its value."""

        def value(child: Any) -> str:
            if getattr(child, "data", "") == "arguments":
                return ", ".join(map(value, child.children))
            return number(self.of(child, scope)) if hasattr(child, "data") else self.plain(child, scope)

        node = self.evaluation.case(node, scope) if node.data == "cases" else node
        if node.data == "reduce":
            sign = {r"\sum": " + ", r"\prod": " · "}.get(node.children[0], ", ")
            middle = sign.join(number(term) for _, term in self.evaluation.terms(node, scope))
        elif node.data in ("array", "number"):
            middle = ""
        else:
            middle = self.joined(node, [value(child) for child in node.children], scope, are_values=True)
        texts = [self.plain(node, scope), middle, number(self.of(node, scope))]
        return " = ".join(text for text in dict.fromkeys(texts) if text)

    def parts(self, node: Node, scope: Scope) -> Iterator[str]:
        """A line for each computed part of a node; a sum has one for each term."""
        if node.data == "cases":
            node = self.evaluation.case(node, scope)
        if node.data == "reduce":
            letter, body = node.children[1].children[0], node.children[2]
            for inner, _ in self.evaluation.terms(node, scope):
                yield f"  {letter} = {inner[letter]}:  {self.line(body, inner)}"
            return
        *outer, first = chain(node)
        if not outer:
            for child in node.children:
                yield from self.part(child, scope)
        elif first.data not in ("array", "number"):
            yield from self.parts(first, scope)
        for each in reversed(outer):
            left, right = each.children
            yield from self.own_line(left, scope)
            yield from self.part(right, scope)

    def part(self, node: Any, scope: Scope) -> Iterator[str]:
        """The lines below a part, and its own."""
        if getattr(node, "data", "array") not in ("array", "number"):
            yield from self.parts(node, scope)
            yield from self.own_line(node, scope)

    def own_line(self, node: Node, scope: Scope) -> Iterator[str]:
        """The line of a part that is computed, if it is not only a pair of parentheses."""
        if node.data not in ("array", "number", "arguments", "group", "comparison"):
            yield self.line(node, scope)

    def steps(self, name: str, at: Scope) -> Steps:
        """The entries of ``name`` at the indices in ``at``: the definitions they use, their parts, their values."""
        lines, evaluation = [], self.evaluation
        for row in evaluation.document.rows[name]:
            spans = [
                [at[x]] if x in at else range(1, evaluation.sizes.extent(x, row.tree, {}) + 1) for x in row.letters
            ]
            for numbers in product(*spans):
                scope, known = dict(zip(row.letters, numbers, strict=True)), len(evaluation.order)
                evaluation.entry(name, tuple(evaluation.integer(index, scope) for index in row.indices), row.tree)
                used = [
                    (*row.tree.children, bound) for row, bound, _ in evaluation.order[known:-1] if not row.parameters
                ]
                lines += [f"{self.plain(left, bound)} = {self.line(body, bound)}" for left, body, bound in used]
                left, body = row.tree.children
                lines += [*self.parts(body, scope), f"{self.plain(left, scope)} = {self.line(body, scope)}"]
        return Steps("\n".join(dict.fromkeys(lines)))
