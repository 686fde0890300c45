"""Whether two formulas are the same function of their symbols."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np

from minigpt.equations.equality import draws
from minigpt.equations.equality.answer import Equality, Parting, two_shapes, where_defined
from minigpt.equations.equality.draws import Domain, Survey
from minigpt.equations.equality.expression import completed, free_letters, is_complete, parted, refuse_long
from minigpt.equations.equality.refusals import why
from minigpt.equations.errors import MAX_OPERATIONS, EquationError
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
#: Draws of special values, and of large ones, where rounding errors are measured: so many times them is a difference.
N_SPECIAL, N_ROUNDINGS = 8, 1e4


def equal(
    latex_a: str,
    latex_b: str,
    *,
    where: Sequence[str] = (),
    symbols: Mapping[str, str] | None = None,
    lang: str = "en",
) -> Equality:
    r"""Whether two formulas are the same function of their symbols.

    Both are evaluated literally, in float64, at random values and sizes. A formula may be an expression; its free
    indices are then those of the result, in alphabetical order. Where one of the two is not defined, such as the
    logarithm of a negative number, nothing is compared. They are also compared at 0, 1, -1, 1000 and -1000. This is
    a test, not a proof: a difference below 1e-9 of the values, or one at single other values, is not found.

    Args:
        latex_a: such as ``\log(x y)``.
        latex_b: such as ``\log(x) + \log(y)``.
        where: definitions that both use.
        symbols: as of an `Equation`. A name with a subscript must be declared here, and so must an array that is
            written without indices; the others are read from the formulas.
        lang: of the answer, "en" or "zh".

    Raises:
        EquationError: at the place that cannot be read or evaluated, and for more than 400 sums and products.
        TypeError: if a formula is not a string.
        ValueError: for another language.
    """
    if lang not in ("en", "zh"):
        raise ValueError(f'lang={lang!r} must be "en" or "zh"')
    for latex in (latex_a, latex_b):
        if not isinstance(latex, str):
            raise TypeError(f"mg.equal takes two formulas as strings of LaTeX, got {type(latex).__name__}: {latex!r}")
    try:
        return dataclasses.replace(_compared(_read([latex_a, latex_b], where, symbols or {}), lang), lang=lang)
    except EquationError as error:
        if lang == "zh":
            told, *place = str(error).split("\n")
            error.args = ("\n".join([f"公式无法读取{why(told, 'zh')}", *place]),)
        raise


def _compared(formulas: Sequence[Equation], lang: str) -> Equality:
    zh = lang == "zh"
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
            return Equality(False, n_compared, reason=two_shapes(a, b, n_axes, zh=zh))
        defined = np.isfinite(a) & np.isfinite(b)
        finished = [f or bool((np.isfinite(x) > defined).any()) for f, x in zip(finished, (a, b), strict=True)]
        if differs(a, b).any():
            return Equality(False, n_compared + 1, parting=_smallest(formulas, symbols_drawn, given))
        n_compared += bool(defined.any())
    if (found := _special(formulas, symbols_drawn)) is not None:
        return Equality(False, n_compared, parting=_smallest(formulas, symbols_drawn, found))
    if not n_compared:
        reason = "没有找到使两者都有定义的取值" if zh else "no values were found at which both are defined"
        return Equality(False, 0, reason=reason)
    finished = [a or b for a, b in zip(finished, _defined_alone(formulas, symbols_drawn), strict=True)]
    note = _read_as(formulas, zh=zh) + where_defined(finished, zh=zh)
    return Equality(True, n_compared, note=note, symbols=len(given))


def _read_as(formulas: Sequence[Equation], *, zh: bool) -> str:
    """A note where the two results have indices of other letters."""
    letters = ["".join(formula.document.rows[formula.outputs[-1]][0].letters) for formula in formulas]
    if letters[0] == letters[1]:
        return ""
    one, other = letters
    return (
        f"第一个公式按 r_{{{one}}} 来理解，第二个按 r_{{{other}}}。"
        if zh
        else f" The first was read as r_{{{one}}}, the second as r_{{{other}}}."
    )


def _defined_alone(formulas: Sequence[Equation], symbols: draws.Symbols) -> list[bool]:
    """Whether each of the two is defined at some special values at which the other is not."""
    alone, started = [False, False], time.monotonic()
    lengths = islice(draws.lengths(symbols.classes, even=bool(symbols.computed)), N_SPECIAL)
    for seed, chosen in enumerate(lengths):
        if time.monotonic() - started > 1:
            break
        given = draws.drawn_values(symbols, chosen, "special", seed, formulas[0])
        try:
            a, b = (_is_defined(formula, given) for formula in formulas)
        except EquationError:
            continue
        alone = [alone[0] or a > b, alone[1] or b > a]
    return alone


def _is_defined(equation: Equation, given: Mapping[str, Any]) -> bool:
    """Whether nothing is divided by 0 on the way; the result alone does not tell, since 1 / (1 / 0) is 0 in float64."""
    try:
        return bool(np.isfinite(value_of(equation, given, errors="raise")).all())
    except FloatingPointError:
        return False


def _special(formulas: Sequence[Equation], symbols: draws.Symbols) -> dict[str, Any] | None:
    """Special or large values at which the formulas differ by more than rounding."""
    lengths = islice(draws.lengths(symbols.classes, even=bool(symbols.computed)), N_SPECIAL)
    started = time.monotonic()
    for seed, chosen in enumerate(lengths):
        for domains in (("special", "special"), ("large", "nearby")) if time.monotonic() - started < 1 else ():
            both = [draws.drawn_values(symbols, chosen, domain, seed, formulas[0]) for domain in domains]
            try:
                (a, b), moved = ([value_of(f, given) for f in formulas] for given in both)
            except EquationError:
                continue
            with np.errstate(all="ignore"):
                rounding = N_ROUNDINGS * sum(np.abs(x - y) for x, y in zip((a, b), moved, strict=True))
                if a.shape == b.shape and (differs(a, b) & (np.abs(a - b) > rounding)).any():
                    return both[0]
    return None


def _read(formulas: Sequence[str], where: Sequence[str], symbols: Mapping[str, str]) -> list[Equation]:
    """Both formulas; a letter is an index of the result if it is an index in one of them."""
    letters = []
    for latex in formulas:
        formula, own = parted(latex)
        letters.append({} if is_complete(formula) else free_letters(formula, [*own, *where], symbols))
    indices = {letter for found in letters for letter, is_index in found.items() if is_index}
    read = [
        completed(latex, where, symbols, order=lambda free: sorted(indices.intersection(free))) for latex in formulas
    ]
    for equation in read:
        refuse_long(equation.document.tree, equation.document.text)
    return read


def differs(a: Any, b: Any) -> np.ndarray:
    """Where two arrays differ by more than rounding; where one of them is not finite they are not compared."""
    a, b = np.asarray(a), np.asarray(b)
    with np.errstate(all="ignore"):
        return np.isfinite(a) & np.isfinite(b) & ~(np.abs(a - b) <= ATOL + RTOL * np.maximum(np.abs(a), np.abs(b)))


def value_of(
    equation: Equation,
    given: Mapping[str, Any],
    n_operations: int = MAX_WORK,
    *,
    errors: Literal["ignore", "raise"] = "ignore",
) -> np.ndarray:
    """The result of a formula, within so many operations.

    Args:
        equation: the formula.
        given: LaTeX name to value.
        n_operations: after which the evaluation is refused.
        errors: whether a division by 0 and an operation without a result, such as 0 / 0, are refused.

    Raises:
        EquationError: as `Equation.evaluate`.
        FloatingPointError: for those that ``errors`` refuses.
    """
    with np.errstate(all="ignore", divide=errors, invalid=errors):
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
