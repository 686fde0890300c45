"""The values behind a formula that can be touched: of each symbol and each term of a sum, at all values of the indices.

A part of a formula depends on the letters that are bound around it. Its values are kept by those letters that it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigpt.equations.board import Board, number
from minigpt.equations.errors import EquationError
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.explorer.limits import Letters, keyed_scopes, product_of, refuse_array, refuse_states
from minigpt.equations.explorer.speech import SPEECHES
from minigpt.equations.explorer.spoken import spoken, spoken_name
from minigpt.equations.parse import Node


@dataclass
class FormulaPart:
    """Something that can be touched: a symbol or the sign of a sum.

    Attributes:
        name: as plain text.
        spoken: in words, by language.
        letters: that its values depend on.
        about: what the symbol means, with its shape; of a sum what it runs over.
        whole: all values of a symbol, as rows of texts; empty for a sum.
        values: the value by the values of the letters, such as "1,2".
        terms: of a sum, a line for each term, by the values of the letters.
    """

    name: str
    spoken: dict[str, str]
    letters: list[str]
    about: str
    whole: list[list[str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    terms: dict[str, list[str]] = field(default_factory=dict)


class States:
    """Walks through the rows of a formula and keeps the value of each part in each state of the indices.

    Args:
        evaluation: with the values given.
        symbols: what each name means.
    """

    def __init__(self, evaluation: Evaluator, symbols: Mapping[str, str]) -> None:
        self.evaluation, self.symbols = evaluation, symbols
        self.board = Board(evaluation)
        self.parts: list[FormulaPart] = []
        self.ranges: dict[str, tuple[int, int]] = {}
        self.places: dict[int, int] = {}
        self.n_states = 0

    def row(self, tree: Node) -> None:
        """Keep the parts of one row; those of a row of a function have no values of their own."""
        left, body = tree.children
        row = next(each for same in self.evaluation.document.rows.values() for each in same if each.tree is tree)
        unknown = [p for p in row.parameters if p not in self.evaluation.given]
        spans = [range(1, self.evaluation.sizes.extent(letter, tree, {}) + 1) for letter in row.letters if not unknown]
        scopes = [dict(zip(row.letters, numbers, strict=True)) for numbers in product_of(spans)] if not unknown else []
        for scope in scopes:
            self._see(scope)
        if left.data == "array":
            self._symbol(left, scopes)
        elif scopes:
            self._function(left, row.name, scopes)
        self._walk(body, scopes)

    def _see(self, scope: Letters) -> None:
        for letter, value in scope.items():
            low, high = self.ranges.get(letter, (value, value))
            self.ranges[letter] = min(low, value), max(high, value)

    def _walk(self, node: Node, scopes: Sequence[Letters]) -> None:
        if not hasattr(node, "data"):
            return
        if node.data == "array":
            self._symbol(node, scopes)
        elif node.data == "reduce":
            self._walk(node.children[2], self._sum(node, scopes))
        elif node.data == "cases":
            for case in node.children:
                chosen = [scope for scope in scopes if self.evaluation.case(node, scope) is case.children[0]]
                self._walk(case.children[0], chosen)
                for condition in case.children[1:]:
                    self._walk(condition, scopes)
        else:
            for child in node.children:
                self._walk(child, scopes)

    def _keys(self, node: Node, scopes: Sequence[Letters]) -> tuple[list[str], Iterator[tuple[str, Letters]]]:
        """The letters that a node uses, and one scope for each combination of their values."""
        letters, keyed = keyed_scopes(node, scopes)
        self.n_states += len(keyed)
        refuse_states(self.n_states)
        return letters, iter(keyed.items())

    def _symbol(self, node: Node, scopes: Sequence[Letters]) -> None:
        name = str(node.children[0])
        if name in self.ranges and name not in self.evaluation.document.declared:
            return  # an index that is used as a number
        letters, keyed = self._keys(node, scopes)
        part = FormulaPart(self.board.plain(node, {}), in_words(node), letters, self._about(name), self._whole(name))
        for key, scope in keyed:
            try:
                part.values[key] = number(self.board.of(node, scope))
            except EquationError:
                continue  # an entry that only another case has
        self._keep(node, part)

    def _function(self, node: Node, name: str, scopes: Sequence[Letters]) -> None:
        """The left side of a function whose arguments were given, such as softmax(z)_i."""
        letters = list(scopes[0])
        part = FormulaPart(self.board.plain(node, {}), in_words(node), letters, self._about(name), self._whole(name))
        for scope in scopes:
            key = tuple(scope.values())
            part.values[",".join(map(str, key))] = number(self.evaluation.entry(name, key, node))
        self._keep(node, part)

    def _sum(self, node: Node, scopes: Sequence[Letters]) -> list[Letters]:
        letter, body = str(node.children[1].children[0]), node.children[2]
        letters, keyed = self._keys(node, scopes)
        about = f"{self.board.plain(node.children[1], {})}"
        part = FormulaPart(self.board.plain(node, {}), in_words(node), letters, about)
        self._keep(node, part)
        inside: list[Letters] = []  # the letters around the sum that it does not use make no difference inside
        for key, scope in keyed:
            terms = [inner for inner, _ in self.evaluation.terms(node, scope)]
            self.n_states += len(terms)
            part.terms[key] = [f"{letter} = {inner[letter]}: {self.board.line(body, inner)}" for inner in terms]
            part.values[key] = number(self.board.of(node, scope))
            inside += terms
        for inner in inside:
            self._see(inner)
        return inside

    def _keep(self, node: Node, part: FormulaPart) -> None:
        self.places[id(node)] = len(self.parts)
        self.parts.append(part)

    def _value(self, name: str) -> Any:
        for values in (self.evaluation.given, self.evaluation.sizes.values):
            if name in values:
                return values[name]
        rows = self.evaluation.document.rows.get(name)
        if not rows or any(p not in self.evaluation.given for p in rows[0].parameters):
            return None
        try:
            return self.evaluation.whole(name)
        except EquationError:
            return None

    def _about(self, name: str) -> str:
        """The meaning of a symbol, then its shape in letters and in numbers."""
        meaning = self.symbols.get(name, "")
        declared, _, text = meaning.partition(") ") if meaning.startswith("(") else ("", "", meaning)
        value = self._value(name)
        shape = ""
        if value is not None and not callable(value) and np.ndim(value):
            letters = f"{declared}) = " if "," in declared or len(declared) > 1 else ""
            shape = f"shape {letters}({', '.join(map(str, np.shape(value)))})"
        return "; ".join(filter(None, [text, shape]))

    def _whole(self, name: str) -> list[list[str]]:
        value = self._value(name)
        if value is None or callable(value):
            return []
        array = np.asarray(value)
        refuse_array(name, array)
        rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
        return [[number(each) for each in row] for row in rows]


def in_words(node: Node) -> dict[str, str]:
    """A node in words, by language."""
    return {lang: spoken(node, speech) for lang, speech in SPEECHES.items()}


def part_label(part: FormulaPart, lang: str) -> str:
    """What a screen reader says of a part; the meaning of a symbol is said in English."""
    forms, words = SPEECHES[lang].forms, part.spoken[lang]
    if part.terms:
        return forms["sum_label"].format(words)
    return forms["symbol_label"].format(words, spoken_name(part.about)) if part.about else words
