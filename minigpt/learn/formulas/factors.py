"""Factors and terms that a derivative lacks, or has once too often."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from minigpt.equations.board import plain_name
from minigpt.learn.formulas import sentences
from minigpt.learn.formulas.derivative import Drawn
from minigpt.learn.formulas.evidence import Guess, Slip, WorkedOut, slip


@dataclass(frozen=True)
class Candidate:
    """What may be a factor: how it is written, its value at a draw, and the slip that it is."""

    shown: str
    value: Callable[[Drawn], Any]
    slip: str


def factor(evidence: WorkedOut) -> Slip | None:
    """A number, a size or a single symbol as a factor."""
    for candidate in _candidates(evidence.drawn[0]):
        if evidence.lacks(lambda drawn, _, at=candidate: at.value(drawn)):  # type: ignore[misc]
            return _named(candidate, is_missing=True)
        if evidence.fits(lambda drawn, g, at=candidate: g * at.value(drawn)):  # type: ignore[misc]
            return _named(candidate, is_missing=False)
    return None


def _named(candidate: Candidate, *, is_missing: bool) -> Slip:
    if candidate.slip == "mean":  # a sum that lacks its 1/n is n times too large
        words = sentences.MEAN_EXTRA if is_missing else sentences.MEAN_MISSING
        return slip("extra-mean" if is_missing else "missing-mean", "scale", words, factor=_product(candidate.shown))
    words = sentences.FACTOR_MISSING if is_missing else sentences.FACTOR_EXTRA
    return slip(candidate.slip, "scale", words, factor=candidate.shown)


def _product(shown: str) -> str:
    return f"({shown})" if " " in shown else shown


def _candidates(drawn: Drawn) -> Iterator[Candidate]:
    for number in (2, 3, 4):
        yield Candidate(str(number), lambda _, n=number: float(n), "factor")  # type: ignore[misc]
    for name in drawn.sizes:
        yield Candidate(plain_name(name), _value(name), "mean")
        yield Candidate(f"√{plain_name(name)}", _value(name, power=0.5), "size")
    for one, other in combinations(drawn.sizes, 2):
        product = lambda d, a=one, b=other: d.values[a] * d.values[b]  # noqa: E731
        yield Candidate(f"{plain_name(one)} {plain_name(other)}", product, "mean")
    for name in drawn.symbols:
        shown = plain_name(name)
        if np.ndim(drawn.values[name]):
            yield Candidate(f"Σ {shown}", lambda d, n=name: np.sum(d.values[n]), "mean")  # type: ignore[misc]
        else:
            yield Candidate(shown, _value(name), "chain-factor")
            yield Candidate(f"{shown}²", _value(name, power=2), "chain-factor")
            yield Candidate(f"√{shown}", _value(name, power=0.5), "chain-factor")
            yield Candidate(f"(1 - {shown})", lambda d, n=name: 1 - d.values[n], "chain-factor")  # type: ignore[misc]
    if not np.ndim(drawn.result({})):
        shown = plain_name(drawn.output)
        yield Candidate(shown, lambda d: d.result({}), "chain-factor")
        yield Candidate(f"exp({shown})", lambda d: np.exp(d.result({})), "chain-factor")
    scalars = [name for name in drawn.symbols if not np.ndim(drawn.values[name])]
    for one, other in combinations(scalars, 2):
        total = lambda d, a=one, b=other: d.values[a] + d.values[b]  # noqa: E731
        shown = f"({plain_name(one)} + {plain_name(other)})"
        yield Candidate(shown, total, "chain-factor")
        yield Candidate(f"√{shown}", lambda d, f=total: np.sqrt(f(d)), "chain-factor")  # type: ignore[misc]


def _value(name: str, power: float = 1) -> Callable[[Drawn], Any]:
    return lambda drawn: drawn.values[name] ** power


FACTOR_FORMS: dict[str, Callable[[Any], Any]] = {
    "{}": lambda m: m,
    "(1 - {})": lambda m: 1 - m,
    "(1 - {}²)": lambda m: 1 - m * m,
}


def chain_factor(evidence: WorkedOut) -> Slip | None:
    """An array as a factor of each entry."""
    for name, at in _placed(evidence):
        for form, function in FACTOR_FORMS.items():
            multiplier = _multiplier(name, at, function)
            shown = form.format(plain_name(name))
            if evidence.found[0].ndim == evidence.expected[0].ndim and evidence.lacks(multiplier):
                return slip("chain-factor", "missing", sentences.FACTOR_MISSING, factor=shown)
            if evidence.fits(lambda drawn, g, by=multiplier: g * by(drawn, g)):  # type: ignore[misc]
                return slip("chain-factor", "extra", sentences.FACTOR_EXTRA, factor=shown)
    return None


def _multiplier(name: str, at: tuple[int, ...], function: Callable[[Any], Any]) -> Guess:
    return lambda drawn, g: along_axes(function(drawn.values[name]), at, g.ndim)


def missing_term(evidence: WorkedOut) -> Slip | None:
    """An array as a term that is missing, is too much, or has the other sign."""
    for name, at in _placed(evidence):
        for times in (1, -1, 2, -2):
            if evidence.fits(_added(name, at, times)):
                words = sentences.TERM if abs(times) == 1 else sentences.TERM_SIGN
                return slip("term", "missing" if abs(times) == 1 else "sign", words, term=plain_name(name))
    return None


def _added(name: str, at: tuple[int, ...], times: int) -> Guess:
    def guess(drawn: Drawn, g: np.ndarray) -> Any:
        m = along_axes(drawn.values[name], at, g.ndim)
        return g + times * m if np.any(m) else None

    return guess


def constant(evidence: WorkedOut) -> Slip | None:
    """One number too much in every entry."""
    if evidence.found[0].shape != evidence.expected[0].shape:
        return None
    off = float((evidence.found[0] - evidence.expected[0]).flat[0])
    is_constant = evidence.expected[0].ndim and evidence.fits(lambda _, g: g + off)
    return slip("constant", "constant", sentences.CONSTANT, number=f"{off:.4g}") if is_constant else None


def _placed(evidence: WorkedOut) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each array with the axes of the derivative that its own axes can be, at every draw."""
    n_axes = evidence.expected[0].ndim
    first = evidence.drawn[0]
    for name in (name for name in first.symbols if 0 < np.ndim(first.values[name]) <= n_axes):
        for at in permutations(range(n_axes), np.ndim(first.values[name])):
            pairs = zip(evidence.drawn, evidence.expected, strict=True)
            if all(np.shape(drawn.values[name]) == tuple(g.shape[axis] for axis in at) for drawn, g in pairs):
                yield name, at


def along_axes(m: Any, at: tuple[int, ...], n_axes: int) -> np.ndarray:
    """An array with axes of length 1 added, so that its own axes are where ``at`` says."""
    order = np.argsort(at)
    whole = np.transpose(m, order)
    return whole.reshape([whole.shape[sorted(at).index(axis)] if axis in at else 1 for axis in range(n_axes)])
