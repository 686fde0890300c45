r"""A formula as it is read: its definitions, its shapes, and what every index is bound to.

An index is a single lower-case letter, bound by the left side or by a sum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from minigpt.equations.errors import MAX_LENGTH, EquationError
from minigpt.equations.parse import Node, letter_of, names_in, parse_latex

PLAIN = r"(?:\\(?:mathrm|hat|bar)\{\\?[a-zA-Z]+\}|\\[a-zA-Z]+|[a-zA-Z])'*"
SCRIPTED = rf"{PLAIN}[_^](?:\w|\{{(?:[^{{}}]|\{{[^}}]*\}})*\}})"
SIGNATURE = rf"(?:^|\\\\|\}})\s*({PLAIN})\s*\([^()]*\)\s*(?:_\S+\s*)?&?\s*="
EULER = "e is Euler's number here"


class Definition(NamedTuple):
    """``name(parameters)_indices = body``; the left side binds ``letters``."""

    name: str
    parameters: list[str]
    indices: list[Node]
    letters: list[str]
    body: Node
    tree: Node


def declarations(lines: Sequence[str], symbols: Mapping[str, str]) -> tuple[list[str], set[str], dict[str, list[str]]]:
    """What is recognised before a formula is read: names with a script or called, which of them are called, shapes.

    Args:
        lines: the formula and its definitions.
        symbols: as of an `Equation`.
    """
    found = {name: re.match(r"\(([^)]*)\)", meaning) for name, meaning in symbols.items()}
    shapes = {name: re.findall(r"[^,\s][^,]*", match[1]) for name, match in found.items() if match}
    functions = {name for name, meaning in symbols.items() if meaning.startswith("function")}
    if sum(map(len, lines)) <= MAX_LENGTH:  # a longer one is refused when it is read
        functions.update(match[1] for line in lines for match in re.finditer(SIGNATURE, line))
    declared = [*symbols, *(size for shape in shapes.values() for size in shape)]
    names = sorted(functions.union(name for name in declared if re.fullmatch(SCRIPTED, name)))
    return names, functions, shapes


class Document:
    """A formula with its ``where`` definitions, read and checked: its text, its rows by name, its shapes."""

    def __init__(self, latex: str, where: Sequence[str], symbols: Mapping[str, str]) -> None:
        lines = [latex, *where]
        self.text = "\n\\text{where } ".join(lines)
        names, functions, shapes = declarations(lines, symbols)
        self.tree = parse_latex(self.text, names, functions)
        self.shapes = {
            n: [parse_latex(size, names, functions, "expr") for size in shape] for n, shape in shapes.items()
        }
        rows = [self._row(tree) for tree in self.tree.children]
        self.rows = {row.name: [same for same in rows if same.name == row.name] for row in rows}
        sizes = [name for shape in self.shapes.values() for size in shape for name in names_in(size)]
        self.declared = {*symbols, *self.rows, *map(str, sizes)}
        self.known = self.declared | {"e", r"\pi", r"\infty"}
        spans = [node.children[1] for node in self.tree.find_data("reduce")]
        self.letters = {letter for row in rows for letter in row.letters}
        self.letters.update(str(span.children[0]) for span in spans if not hasattr(span.children[0], "data"))
        for row in rows:
            self._check_left_side(row)
            self._bind(row.tree, frozenset(row.letters + row.parameters))

    def _row(self, tree: Node) -> Definition:
        left, body = tree.children
        name, *indices = left.children
        parameters = indices.pop(0).children if left.data == "signature" else []
        letters = dict.fromkeys(str(n) for index in indices for n in names_in(index) if re.fullmatch("[a-z]", n))
        return Definition(str(name), list(map(str, parameters)), indices, list(letters), body, tree)

    def _check_left_side(self, row: Definition) -> None:
        first = self.rows[row.name][0]
        if [*map(len, row[1:3])] != [*map(len, first[1:3])]:
            self.fail(row.tree, f"the rows of {row.name} differ in how many indices or parameters {row.name} has")
        for letter in self.known.intersection(row.letters):
            self.fail(row.tree, self._taken(letter))

    def _taken(self, letter: str) -> str:
        """Why a letter cannot be an index."""
        taken = f"{letter} is an index here, but symbols or another row give it a meaning too; rename one of them"
        is_euler = letter == "e" and letter not in self.declared
        return f"{EULER}; choose another letter for the index" if is_euler else taken

    def _bind(self, tree: Node, letters: frozenset[str]) -> None:
        """Refuse an index that nothing binds, one bound twice, one that is also part of a name, and ``x^{(l)}``."""
        waiting = [(tree, letters, False)]
        while waiting:
            node, scope, in_index = waiting.pop()
            children = [child for child in node.children if hasattr(child, "data")]
            if node.data == "reduce":
                span, body = children
                inner = scope | {self._new_letter(span, scope)}
                waiting += [(body, inner, False), (span, inner if span.data == "such_that" else scope, False)]
                continue
            if node.data == "array":
                self._check_name(node.children[0], scope, is_index=not children and in_index, is_alone=not children)
            if node.data == "power" and (children[1].data == "group" or children[1].children == ["T"]):
                fix = r"write ^\top for the transpose, and a power without parentheses"
                self.fail(children[1], f"ambiguous exponent; {fix}")
            for child in reversed(children):
                is_index = node.data == "array" or (node.data == "call" and child is not children[0])
                waiting.append((child, scope, in_index or is_index))

    def _check_name(self, name: Node, scope: frozenset[str], *, is_index: bool, is_alone: bool) -> None:
        if is_alone and name not in scope | self.known and (is_index or name in self.letters):
            self.fail(name, f"index {name} is not bound here; bind it on the left side or by a sum")
        for letter in scope:
            if re.search(rf"[_^].*(?<![a-zA-Z\\]){re.escape(letter)}(?![a-zA-Z])", name):
                self.fail(name, f"{letter} is an index here and also part of the name {name}; rename one of them")

    def _new_letter(self, span: Node, scope: frozenset[str]) -> str:
        r"""The index that a range binds; of ``{i - w < l \le i}`` the only letter that has no meaning yet."""
        if span.data == "such_that":
            sides = [side.children[0] for side in span.children[0].children if letter_of(side)]
            span.children[:0] = [letter for letter in sides if letter not in scope | self.known][:1] or sides[:1]
        letter = span.children[0]
        if hasattr(letter, "data"):
            self.fail(span, r"a range needs an index, a single lower-case letter: \sum_{i=1}^{n} or \sum_{i < n}")
        if letter in scope:
            self.fail(span, f"index {letter} is already bound here; choose another letter")
        if letter in self.known:
            self.fail(span, self._taken(letter))
        return str(letter)

    def fail(self, place: Node | str, message: str) -> NoReturn:
        """Raise `EquationError` at a node, at a token, or where a name first occurs."""
        spots = [name for name in names_in(self.tree) if type(place) is str and name == place] or [place]
        first: Node = getattr(spots[0], "meta", spots[0])
        raise EquationError(message, self.text, getattr(first, "start_pos", 0))
