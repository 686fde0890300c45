r"""How sure a mean gap is: the bootstrap over items, the sign-flip test, and Holm's correction over groups.

The items are what could have been others: templates or pairs of names, never the tokens of one sentence. A resample
draws n of the n items with replacement; the spread of its means says how far the mean would move with other items like
these. It says nothing of another training run, nor of items unlike these. With fewer than ten items the interval is
too narrow: with five, it covers the truth in about 84 % of cases instead of 95 %.

The p is therefore not taken from the resamples: it is that of the sign-flip test, which holds its level with any number
of items, provided that gaps are symmetric around 0 where there is no difference. With n items it is at least 2 / 2^n,
so fewer than six never reach 0.05. The interval may exclude 0 where p is above 0.05.

Dimensions: n items, R resamples or patterns of signs, m hypotheses.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.settings import Range, fit, whole_number

_Level = Annotated[float, Range(0.0, 1.0, "()", ", such as 0.95")]


class Interval(NamedTuple):
    """A mean and how sure it is.

    Attributes:
        mean: over the items.
        low: lower end of the percentile interval.
        high: upper end.
        p: of the sign-flip test: how often a mean at least this far from 0 would come up with gaps symmetric around 0.
        n: items.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


@equation(
    "sign-flip-p",
    r"p = \frac{1 + \sum_{b=1}^{R} \mathbb{1}[|m_b| \ge |\bar{g}|]}{R + 1}",
    where=[
        r"m_b = \frac{1}{n} \sum_{i=1}^{n} s_{bi} g_i",
        r"\bar{g} = \frac{1}{n} \sum_{i=1}^{n} g_i",
    ],
    symbols={
        "g": "(n) value of each item",
        "s": "(R, n) patterns of signs, 1 or -1",
        "p": "() how often a mean this far from 0 comes up by chance",
    },
    source="the randomisation test of Fisher 1935, The Design of Experiments",
)
def sign_flip_p(values: Tensor, signs: Tensor) -> Tensor:
    """The two-sided p of a mean of 0: how many patterns of signs bring the mean at least as far from 0.

    If values are symmetric around 0, every pattern of signs is equally likely, and p is at most x in at most a share x
    of samples, however few items there are. The 1 counts the signs as they were observed; with all other patterns p is
    the share of the 2^n.

    Args:
        values: ``(n)`` one for each item.
        signs: ``(R, n)`` 1 or -1.

    Returns:
        ``()`` at least 1 / (R + 1): what was never seen may still be possible.
    """
    rounding = 1e-12 * values.abs().sum()  # sums that are equal but for rounding count as equal
    further = (signs * values).sum(1).abs() >= values.sum().abs() - rounding
    return (1 + further.sum().to(values.dtype)) / (len(signs) + 1)


@equation(
    "holm",
    r"\hat{p}_i = \max_{j=1}^{i} \min\left(1, (m - j + 1) p_j\right)",
    symbols={
        "p": "(m) p of each hypothesis, in rising order",
        "m": "() hypotheses",
        r"\hat{p}": "(m) corrected",
    },
    source="Holm 1979, Scandinavian Journal of Statistics 6",
)
def holm(p: Tensor | Sequence[float]) -> Tensor:
    r"""Correct several p for having been several; the chance of one false alarm or more stays below the level.

    To reject where the corrected p is at most $\alpha$ is Holm's procedure: go through the sorted p, and stop at the
    first that is larger than $\alpha / (m - i + 1)$.

    Args:
        p: ``(m)`` of the hypotheses, in any order.

    Returns:
        ``(m)`` in the order of ``p``.

    Raises:
        ValueError: if they are not numbers from 0 to 1 in one row.
    """
    try:
        p = p if isinstance(p, Tensor) and p.is_floating_point() else torch.as_tensor(p, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"got p={p!r:.60}; expected numbers from 0 to 1, one for each hypothesis") from None
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"got p={p.tolist()!r:.60}; expected numbers from 0 to 1, one for each hypothesis")
    ordered, order = p.sort(stable=True)
    factors = torch.arange(len(p), 0, -1, dtype=p.dtype)
    corrected = (factors * ordered).clamp(max=1).cummax(0).values
    return torch.empty_like(p).scatter(0, order, corrected)


def bootstrap(
    values: Sequence[float] | np.ndarray | Tensor, *, level: float = 0.95, n_resamples: int = 4000, seed: int = 0
) -> Interval:
    """The mean of some items with its percentile interval, and the p of its sign-flip test.

    Args:
        values: ``(n)`` one for each item.
        level: share of intervals that are to cover the truth.
        n_resamples: R; the test takes as many patterns of signs, or all of them where they are no more.
        seed: of the resamples and the signs.

    Raises:
        ValueError: if there is no item, a value is not finite, or the level is not between 0 and 1.
    """
    given = _numbers(values)
    n_resamples, level = whole_number("n_resamples", n_resamples, 1), fit("level", level, _Level)
    rng, n = np.random.default_rng(seed), len(given)
    drawn = rng.integers(0, n, (n_resamples, n))
    low, high = np.quantile(given[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    p = sign_flip_p(torch.from_numpy(given), torch.from_numpy(_signs(n, n_resamples, rng)))
    return Interval(float(given.mean()), float(low), float(high), float(p), n)


def _numbers(values: Sequence[float] | np.ndarray | Tensor) -> np.ndarray:
    try:
        given = np.asarray(values.detach().cpu().double() if isinstance(values, Tensor) else values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"got values={values!r:.60}; expected finite numbers, one for each item") from None
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all():
        raise ValueError(
            f"got {given.size} values of shape {given.shape}, finite: {np.isfinite(given).all()}; expected finite "
            "numbers in one row, ≥ 1"
        )
    return given


def _signs(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """All patterns but the one without a change, if there are so few; else random ones."""
    every = 2**n - 1
    minus = np.arange(1, every + 1)[:, None] >> np.arange(n) & 1 if every <= most else rng.integers(0, 2, (most, n))
    return 1 - 2 * minus
