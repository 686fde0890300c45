"""Small wrong changes of an equation's LaTeX, and whether its oracle notices them.

A mutant changes one place: a sign, a constant, a bound, an index, a relation, a name, a function; or it drops a term,
a factor, an exponent, a root, a row. It is *refused* if the grammar or the check of indices rejects it, *killed* if a
drawn case raises or gives another value, and a *survivor* otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from minigpt.equations import Equation, EquationError
from minigpt.equations.parse import letter_of, names_in

WHERE = "\n\\text{where } "
SWAPS = {
    **{"+": ["-"], "-": ["+"], r"\le": ["<", r"\ge"], "<": [r"\le", ">"], ">": [r"\ge", "<"]},
    **{r"\exp": ["", r"\tanh"], r"\log": ["", r"\exp"], r"\log_2": [r"\log"], r"\tanh": ["", r"\sin"]},
    **{r"\sin": [r"\cos", ""], r"\cos": [r"\sin", ""], r"\max": [r"\min"], r"\min": [r"\max"], r"\sum": [r"\max"]},
    **{r"\prod": [r"\sum"], r"\lceil": [r"\lfloor"], r"\cdot": [r"\odot"], r"\odot": [r"\cdot", ""]},
    **{"erf": ["sign"], "sign": ["erf"], r"\infty": ["1"], r"\lVert": [r"\lfloor"]},
}
TOKEN = re.compile(r"\\log_2|\\[a-zA-Z]+|(?<=operatorname\{)[a-z]+|[+\-<>]")
PAIRS = {r"\lceil": (r"\rceil", r"\rfloor"), r"\lVert": (r"\rVert", r"\rfloor")}


@dataclass(frozen=True)
class Mutant:
    """One changed equation, and what was done."""

    change: str
    equation: Equation


def mutants(eq: Equation) -> Iterator[Mutant]:
    """Every mutant of ``eq``, each text once."""
    text, seen = eq.document.text, {re.sub(r"\s", "", eq.document.text)}
    for change, start, end, new in (*tokens(text), *numbers(text), *nodes(eq), *indices(eq), *names(eq)):
        changed = text[:start] + new + text[end:]
        key = re.sub(r"\s", "", changed)
        if key not in seen:
            seen.add(key)
            latex, *where = changed.split(WHERE)
            by = "" if change == "double" else f" by {new!r}"
            yield Mutant(f"{change} {text[start:end]!r}{by} at {start}", replace(eq, latex=latex, where=where))


Change = tuple[str, int, int, str]


def tokens(text: str) -> Iterator[Change]:
    for match in TOKEN.finditer(text):
        for new in SWAPS.get(match[0], []):
            end, tail = match.end(), ""
            if match[0] in PAIRS:
                closing, wanted = PAIRS[match[0]]
                stop = text.index(closing, end)
                end, tail = stop + len(closing), text[match.end() : stop] + wanted
            yield "swap", match.start(), end, new + tail
        if match[0] == "-":
            yield "drop the minus", match.start(), match.end(), ""


def numbers(text: str) -> Iterator[Change]:
    for match in re.finditer(r"\d+(\.\d+)?", text):
        value = float(match[0])
        for new in {value + 1, value - 1, 2 * value, value / 2}:
            if new >= 0:
                yield "constant", *match.span(), f"{new:.10g}"


def nodes(eq: Equation) -> Iterator[Change]:
    """Changes of the tree: parts dropped, exchanged or unwrapped."""
    text, axes = eq.document.text, {name: len(shape) for name, shape in eq.document.shapes.items()}

    def source(node) -> str:
        return text[node.meta.start_pos : node.meta.end_pos]

    for node in eq.document.tree.iter_subtrees():
        parts = [child for child in node.children if hasattr(child, "data")]
        span = (node.meta.start_pos, node.meta.end_pos) if not node.meta.empty else (0, 0)
        kind = node.data
        if kind in ("add", "subtract", "times", "dot", "hadamard", "quotient", "fraction"):
            yield from ((f"keep one side of {kind}", *span, source(part)) for part in parts)
        if kind == "fraction":
            yield "turn over", *span, rf"\frac{{{source(parts[1])}}}{{{source(parts[0])}}}"
        if kind in ("subtract", "quotient") or (kind == "times" and all(axes.get(source(part)) for part in parts)):
            sign = {"subtract": "-", "times": " ", "quotient": "/"}[kind]
            yield "exchange", *span, f"{source(parts[1])} {sign} {source(parts[0])}"
        if kind == "power":
            yield "drop the exponent", *span, source(parts[0])
        if kind == "transpose":
            yield "drop the transpose", *span, source(parts[0])
        if kind in ("root", "group", "norm", "call"):
            yield f"unwrap {kind}", *span, f"({source(parts[0])})" if kind != "group" else source(parts[0])
        if kind == "root":
            yield "square for root", *span, f"({source(parts[0])})^2"
        if kind in ("ceiling", "floor", "indicator"):
            yield f"drop {kind}", *span, f"({source(parts[0])})" if kind != "indicator" else "1"
        if kind == "reduce":
            yield "drop the sum", *span, source(parts[1])
        if kind == "cases":
            first, second = (case.children[0] for case in parts[:2])
            yield (
                "exchange cases",
                first.meta.start_pos,
                second.meta.end_pos,
                (source(second) + text[first.meta.end_pos : second.meta.start_pos] + source(first)),
            )
        if kind == "definition":
            yield "double", parts[1].meta.start_pos, parts[1].meta.end_pos, f"2 ({source(parts[1])})"


def indices(eq: Equation) -> Iterator[Change]:
    """Each index replaced by every other letter of the equation; adjacent indices exchanged; bounds changed."""
    doc = eq.document
    bound = {row_letter for rows in doc.rows.values() for row in rows for row_letter in row.letters}
    bound |= {str(node.children[1].children[0]) for node in doc.tree.find_data("reduce")}
    for array in doc.tree.find_data("array"):
        spots = [index for index in array.children[1:] if hasattr(index, "data")]
        for index in spots:
            for letter in sorted(bound - {letter_of(index)}):
                yield "index", index.meta.start_pos, index.meta.end_pos, letter
        for left, right in pairwise(spots):
            between = doc.text[left.meta.end_pos : right.meta.start_pos]
            exchanged = doc.text[right.meta.start_pos : right.meta.end_pos] + between
            exchanged += doc.text[left.meta.start_pos : left.meta.end_pos]
            yield "exchange indices", left.meta.start_pos, right.meta.end_pos, exchanged
    for span in doc.tree.find_data("from_to"):
        _, first, last = span.children
        for letter in sorted(bound):
            yield "upper bound", last.meta.start_pos, last.meta.end_pos, letter
            yield "lower bound", first.meta.start_pos, first.meta.end_pos, letter
        for shifted in ("{} - 1", "{} + 1"):
            yield (
                "upper bound",
                last.meta.start_pos,
                last.meta.end_pos,
                shifted.format(doc.text[last.meta.start_pos : last.meta.end_pos]),
            )


def names(eq: Equation) -> Iterator[Change]:
    """Each name replaced by every other one of the equation that has as many axes."""
    doc = eq.document
    axes = {name: len(shape) for name, shape in doc.shapes.items()}
    for token in names_in(doc.tree):
        for other in sorted(axes):
            if other != token and axes.get(str(token)) == axes[other]:
                yield "name", token.start_pos, token.end_pos, other


def fate(mutant: Mutant, cases: list[tuple[dict, dict]]) -> str:
    """``refused``, ``killed`` or ``survived``."""
    try:
        _ = mutant.equation.document
    except EquationError:
        return "refused"
    for given, expected in cases:
        try:
            values = mutant.equation.evaluate_all(**given)
        except (ValueError, TypeError):  # a TypeError comes from a given function that got the wrong argument
            return "killed"
        if list(values) != list(expected) or not all(
            values[key].shape == np.shape(expected[key])
            and np.allclose(values[key], expected[key], rtol=1e-9, atol=1e-12)
            for key in expected
        ):
            return "killed"
    return "survived"
