"""The formula of a derivative, as it is written on paper, evaluated beside the equation that it belongs to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from minigpt.equations import EquationError
from minigpt.equations.equality.compare import value_of
from minigpt.equations.equality.expression import (
    completed,
    free_letters,
    is_complete,
    left_side,
    parted,
    refuse_unknown_names,
)
from minigpt.equations.parse import letter_of
from minigpt.learn.formulas.derivative import Drawn

#: Operations of one evaluation of the formula.
MAX_EVALUATION = 50_000
MAX_PERMUTED = 4


@dataclass(frozen=True)
class Reading:
    """One way to read a formula: which of its letters is which axis of the derivative.

    Args:
        latex: the formula.
        where: its definitions.
        letters: the indices of the derivative in the order of its axes; nothing where a left side orders them.
        letter_names: all letters that nothing binds.
    """

    latex: str
    where: tuple[str, ...]
    letters: tuple[str, ...] | None

    def value(self, drawn: Drawn, shape: Sequence[int] | None) -> np.ndarray:
        """The formula at one draw.

        Args:
            drawn: the equation there.
            shape: that the derivative has, if the formula must have it as well.

        Raises:
            EquationError: at the place that has no value.
        """
        declared = f"({', '.join(map(str, shape))})" if shape is not None else ""
        order = self.letters or ()
        equation = completed(self.latex, self.where, _symbols(drawn), order=lambda _: order, shape=declared)
        return value_of(equation, drawn.values, MAX_EVALUATION)


def _symbols(drawn: Drawn) -> dict[str, str]:
    """The meaning of every name that the formula may use."""
    own = drawn.equation.symbols
    return {name: own.get(name, "function" if callable(value) else "") for name, value in drawn.values.items()}


def readings(latex: str, where: Sequence[str], drawn: Drawn, symbol: str) -> list[Reading]:
    """The ways to read a formula; one alone where its left side or its letters leave no choice.

    Args:
        latex: with or without a left side.
        where: definitions that it uses.
        drawn: the equation at one draw.
        symbol: with respect to which the derivative is.

    Raises:
        EquationError: at the place that cannot be read, and for a left side that is another derivative.
    """
    formula, own = parted(latex)
    definitions = (*own, *where)
    whole, own_letters = completed(formula, definitions, _symbols(drawn)), drawn.equation.document.rows[drawn.output]
    offered = [name for name in drawn.symbols if not name.startswith(r"\mathrm")]
    refuse_unknown_names(whole, drawn.values, drawn.equation.name, own_letters[0].letters, offered=offered)
    if is_complete(formula):
        _check_left_side(left_side(formula), symbol)
        return [Reading(formula, definitions, None)]
    free = list(free_letters(formula, definitions, _symbols(drawn)))
    return [Reading(formula, definitions, letters) for letters in _orders(free, drawn, symbol)]


def _check_left_side(left: str, symbol: str) -> None:
    below = left.split(r"{\partial ")[-1] if r"\partial" in left else symbol
    if not below.strip().startswith(symbol):
        message = f"the left side is another derivative; asked for was that with respect to {symbol}"
        raise EquationError(message, left, 0)


def _orders(free: list[str], drawn: Drawn, symbol: str) -> Iterator[tuple[str, ...]]:
    """The letters as axes: those of the result as the equation writes it first, then those of the symbol."""
    n_axes = drawn.result({}).ndim + np.ndim(drawn.values[symbol])
    row = drawn.equation.document.rows[drawn.output][0]
    first = tuple(row.letters) if drawn.result({}).ndim == len(row.letters) else ()
    uses = [
        tuple(map(letter_of, array.children[1:]))
        for array in drawn.equation.document.tree.find_data("array")
        if str(array.children[0]) == symbol
    ]
    for use in uses:
        if len(free) == n_axes and sorted(first + use) == sorted(free):
            return iter([first + use])
    rest = [letter for letter in free if letter not in first]
    if len(free) != n_axes or n_axes > MAX_PERMUTED:
        return iter([tuple(free)])
    if len(free) == len(first) + len(rest):
        return iter([first + order for order in permutations(rest)])
    return iter(permutations(free))


def fitting(found: Sequence[Reading], drawn: Sequence[Drawn], derivatives: Sequence[np.ndarray]) -> list[Reading]:
    """The readings in which the formula has the shape of the derivative at every draw."""

    def fits(reading: Reading) -> bool:
        try:
            return all(
                reading.value(each, expected.shape).shape == expected.shape
                for each, expected in zip(drawn, derivatives, strict=True)
            )
        except EquationError:
            return False

    return [reading for reading in found if fits(reading)]


def values_at(reading: Reading, drawn: Sequence[Drawn], derivatives: Sequence[Any]) -> list[np.ndarray]:
    """The formula at each draw, of whatever shape it is.

    Args:
        reading: one way to read it.
        drawn: the draws.
        derivatives: what it should be there; its shape is tried first.
    """
    found = []
    for each, expected in zip(drawn, derivatives, strict=True):
        found.append(_value(reading, each, expected.shape))
    return found


def _value(reading: Reading, drawn: Drawn, shape: tuple[int, ...]) -> np.ndarray:
    """The formula with the shape of the derivative, else with its axes exchanged, else with its own."""
    first: EquationError | None = None
    for each in (*dict.fromkeys(permutations(shape)), None):
        try:
            return reading.value(drawn, each)
        except EquationError as error:
            first = first or error
    assert first is not None
    raise first
