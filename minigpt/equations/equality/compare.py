"""Whether two formulas are the same function of their symbols."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from minigpt.equations.board import number, plain_name
from minigpt.equations.equality import draws
from minigpt.equations.equality.draws import Domain, Survey
from minigpt.equations.equality.expression import completed, free_letters, is_complete, parted
from minigpt.equations.errors import MAX_OPERATIONS, EquationError, written
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.formula import Equation
from minigpt.equations.parse import names_in

#: Values at which two formulas are compared, and those that are searched for the smallest at which they part.
N_DRAWS, N_SMALL = 24, 60
#: So many compared values are enough where formulas are too large to be evaluated at larger sizes.
N_ENOUGH = 3
#: The largest difference of two equal values, relative to the larger one, and near 0.
RTOL, ATOL = 1e-9, 1e-11
#: Seconds after which no further values are drawn, and operations of one evaluation.
MAX_SECONDS, MAX_WORK = 4.0, 100_000
DOMAINS: tuple[Domain, ...] = ("real", "positive", "share")


@dataclass(frozen=True, eq=False)
class Parting:
    """The values at which two formulas differ.

    Attributes:
        values: LaTeX name to value.
        index: of the first entry that differs, from 1; empty for a single number.
        first: the value of the first formula there.
        second: that of the second.
    """

    values: Mapping[str, Any]
    index: tuple[int, ...]
    first: float
    second: float

    def __str__(self) -> str:
        at = ", ".join(f"{plain_name(name)} = {number(v)}" for name, v in self.values.items() if not callable(v))
        entry = f"entry {written(self.index)} of " if self.index else ""
        where = f"at {at}, " if at else ""
        return f"{where}{entry}the first is {number(self.first)} and {entry}the second {number(self.second)}"


@dataclass(frozen=True, eq=False)
class Equality:
    """The answer of `equal`: truthy if the two formulas are the same function.

    Attributes:
        same: whether they are.
        n_draws: values at which both were compared.
        parting: the smallest values found at which they differ.
        reason: what else is different, such as the shape; empty if nothing is.
        note: what should be known about the answer.
    """

    same: bool
    n_draws: int
    parting: Parting | None = None
    reason: str = ""
    note: str = ""

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        if self.same:
            return f"The same function: equal at {self.n_draws} random values of the symbols.{self.note}"
        return f"Not the same function: {self.reason or self.parting}.{self.note}"

    __repr__ = __str__


def equal(
    latex_a: str, latex_b: str, *, where: Sequence[str] = (), symbols: Mapping[str, str] | None = None
) -> Equality:
    r"""Whether two formulas are the same function of their symbols.

    Both are evaluated literally, in float64, at random values and sizes. A formula may be an expression; its free
    indices are then those of the result, in alphabetical order. Where one of the two is not defined, such as the
    logarithm of a negative number, nothing is compared.

    Args:
        latex_a: such as ``\log(x y)``.
        latex_b: such as ``\log(x) + \log(y)``.
        where: definitions that both use.
        symbols: as of an `Equation`. A name with a subscript must be declared here, and so must an array that is
            written without indices; the others are read from the formulas.

    Raises:
        EquationError: at the place that cannot be read or evaluated.
    """
    formulas = _read([latex_a, latex_b], where, symbols or {})
    n_axes = [len(formula.document.rows[formula.outputs[-1]][0].indices) for formula in formulas]
    symbols_drawn = Survey(formulas).symbols()
    n_compared, finished, started = 0, [False, False], time.monotonic()
    for given in islice(_draws(formulas[0], symbols_drawn), N_DRAWS):
        if n_compared and time.monotonic() - started > MAX_SECONDS:
            break
        try:
            a, b = (value_of(formula, given) for formula in formulas)
        except EquationError:
            if n_compared < N_ENOUGH:
                raise
            break  # too large to be evaluated
        if a.shape != b.shape:
            kinds = " and ".join(f"{n} {'index' if n == 1 else 'indices'}" for n in n_axes)
            shapes = f"the shapes of the results are {a.shape} and {b.shape}"
            return Equality(False, n_compared, reason=shapes + f", with {kinds}" * (n_axes[0] != n_axes[1]))
        defined = np.isfinite(a) & np.isfinite(b)
        finished = [f or bool((np.isfinite(x) > defined).any()) for f, x in zip(finished, (a, b), strict=True)]
        if differs(a, b).any():
            return Equality(False, n_compared + 1, parting=_smallest(formulas, symbols_drawn, given))
        n_compared += bool(defined.any())
    if not n_compared:
        return Equality(False, 0, reason="no values were found at which both are defined")
    note = ""
    if finished[0] != finished[1]:
        note = f" Only the {'first' if finished[0] else 'second'} is defined everywhere."
    return Equality(True, n_compared, note=note)


def _read(formulas: Sequence[str], where: Sequence[str], symbols: Mapping[str, str]) -> list[Equation]:
    """Both formulas; a letter is an index of the result if it is an index in one of them."""
    letters = []
    for latex in formulas:
        formula, own = parted(latex)
        letters.append({} if is_complete(formula) else free_letters(formula, [*own, *where], symbols))
    indices = {letter for found in letters for letter, is_index in found.items() if is_index}
    return [
        completed(latex, where, symbols, order=lambda free: sorted(indices.intersection(free))) for latex in formulas
    ]


def differs(a: Any, b: Any) -> np.ndarray:
    """Where two arrays differ by more than rounding; where one of them is not finite they are not compared."""
    a, b = np.asarray(a), np.asarray(b)
    with np.errstate(all="ignore"):
        return np.isfinite(a) & np.isfinite(b) & ~(np.abs(a - b) <= ATOL + RTOL * np.maximum(np.abs(a), np.abs(b)))


def value_of(equation: Equation, given: Mapping[str, Any], n_operations: int = MAX_WORK) -> np.ndarray:
    """The result of a formula, within so many operations.

    Args:
        equation: the formula.
        given: LaTeX name to value.
        n_operations: after which the evaluation is refused.

    Raises:
        EquationError: as `Equation.evaluate`.
    """
    with np.errstate(all="ignore"):
        evaluation = Evaluator(equation.document, given, MAX_OPERATIONS - n_operations)
        values = [evaluation.whole(name) for name in equation.outputs]
        evaluation.sizes.hold(dict(zip(equation.outputs, map(np.shape, values), strict=True)))
    return np.asarray(values[-1], np.float64)


def _draws(equation: Equation, symbols: draws.Symbols) -> Iterator[dict[str, Any]]:
    for seed, lengths in enumerate(draws.lengths(symbols.classes, even=bool(symbols.computed))):
        yield draws.drawn_values(symbols, lengths, DOMAINS[seed % 3], seed, equation)


def _smallest(formulas: Sequence[Equation], symbols: draws.Symbols, given: Mapping[str, Any]) -> Parting:
    """Small whole numbers at which the formulas differ, or else the given values."""
    found: list[tuple[float, Parting]] = []
    started = time.monotonic()
    lengths = islice(draws.lengths(symbols.classes, even=bool(symbols.computed)), N_SMALL)
    for seed, chosen in enumerate(lengths):
        if time.monotonic() - started > MAX_SECONDS / 2:
            break
        small = draws.drawn_values(symbols, chosen, "whole", seed, formulas[0])
        try:
            parting = _parting(formulas, small)
        except EquationError:
            continue
        if parting is not None:
            found.append((_cost(small), parting))
    parting = _parting(formulas, given)
    assert parting is not None
    return min(found, key=lambda each: each[0], default=(0.0, parting))[1]


def _cost(given: Mapping[str, Any]) -> float:
    arrays = [np.asarray(value) for value in given.values() if not callable(value)]
    return sum(array.size + 0.1 * float(np.abs(array).sum()) + 0.05 * float((array < 0).sum()) for array in arrays)


def _parting(formulas: Sequence[Equation], given: Mapping[str, Any]) -> Parting | None:
    """The first entry that differs, with the values of the names that the formulas use; nothing where none differs."""
    a, b = (value_of(formula, given) for formula in formulas)
    if a.shape != b.shape or not (different := differs(a, b)).any():
        return None
    at = tuple(map(int, np.argwhere(different)[0]))
    used = {str(name) for formula in formulas for name in names_in(formula.document.tree)}
    values = {name: value for name, value in given.items() if name in used}
    return Parting(values, tuple(i + 1 for i in at), float(a[at]), float(b[at]))
