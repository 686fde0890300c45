"""What went wrong in a derivative: claims about its values that hold at every draw, the simplest first."""

from collections.abc import Callable, Iterator
from itertools import combinations, permutations

import numpy as np

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.formulas import sentences
from minigpt.learn.formulas.evidence import Slip, WorkedOut, slip
from minigpt.learn.formulas.factors import chain_factor, constant, factor, missing_term
from minigpt.learn.formulas.paths import as_constant, diagonal, not_chained, other_symbol

Search = Callable[[WorkedOut], Slip | None]


def find(evidence: WorkedOut) -> Slip | None:
    """The first claim that holds."""
    if not any(np.any(value) for value in evidence.expected):
        return None
    with np.errstate(all="ignore"):
        return (
            sign(evidence) or transposed(evidence) or _claim(evidence) or _with_other_sign(evidence) or _shape(evidence)
        )


def _claim(evidence: WorkedOut) -> Slip | None:
    searches: tuple[Search, ...] = (
        factor, other_symbol, missing_term, as_constant, diagonal, not_chained, chain_factor, constant, summed,
    )  # fmt: skip
    return next(filter(None, (search(evidence) for search in searches)), None)


def _with_other_sign(evidence: WorkedOut) -> Slip | None:
    found = _claim(evidence.changed(np.negative))
    return _both(found, sentences.AND_SIGN) if found is not None and found.id != "gradient.term" else None


def _both(found: Slip, other: Words) -> Slip:
    return Slip(found.id, found.kind, Words(f"{found.says.en} {other.en}", f"{found.says.zh}{other.zh}"))


def sign(evidence: WorkedOut) -> Slip | None:
    """The opposite sign."""
    return slip("sign", "sign", sentences.SIGN) if evidence.fits(lambda _, g: -g) else None


def transposed(evidence: WorkedOut) -> Slip | None:
    """Axes in another order."""
    for order in list(permutations(range(evidence.expected[0].ndim)))[1:]:
        if evidence.fits(lambda _, g, at=order: np.transpose(g, at)):  # type: ignore[misc]
            return slip("transposed", "transposed", sentences.TRANSPOSED)
    return None


def summed(evidence: WorkedOut) -> Slip | None:
    """An index that was not summed over, or one that should have been kept."""
    extra = evidence.found[0].ndim - evidence.expected[0].ndim
    for change in _sums(evidence, extra):
        whole = evidence.changed(change)
        if whole.is_right:
            return slip("missing-sum", "missing", sentences.MISSING_SUM)
        if (also := sign(whole) or factor(whole)) is not None:
            return _both(slip("missing-sum", "missing", sentences.MISSING_SUM_AND), also.says)
    for chosen in combinations(range(evidence.expected[0].ndim), -extra) if extra < 0 else ():
        if evidence.fits(lambda _, g, at=chosen: g.sum(at)):  # type: ignore[misc]
            return slip("extra-sum", "extra", sentences.EXTRA_SUM)
    return None


def _sums(evidence: WorkedOut, n_axes: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    for chosen in combinations(range(evidence.found[0].ndim), n_axes) if n_axes > 0 else ():
        yield lambda value, at=chosen: value.sum(at)  # type: ignore[misc]


def _shape(evidence: WorkedOut) -> Slip | None:
    same = all(a.shape == g.shape for a, g in zip(evidence.found, evidence.expected, strict=True))
    return None if same else slip("shape", "layout", sentences.AXES)
