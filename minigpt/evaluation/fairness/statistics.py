r"""How sure a mean gap is: the bootstrap over items, and Holm's correction over groups.

The items are what could have been others: templates or pairs of names, never the tokens of one sentence. A resample
draws n of the n items with replacement; the spread of its means says how far the mean would move with other items like
these. It says nothing of another training run, nor of items unlike these. With fewer than ten items the interval is
too narrow: with five, it covers the truth in about 84 % of cases instead of 95 %.

Dimensions: n items, R resamples, m hypotheses.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import equation


class Interval(NamedTuple):
    """A mean and how sure it is.

    Attributes:
        mean: over the items.
        low: lower end of the percentile interval.
        high: upper end.
        p: how often a mean at least this far from 0 would come up if the true mean were 0.
        n: items.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


@equation(
    "bootstrap-p",
    r"p = \frac{1 + \sum_{b=1}^{R} \mathbb{1}[|m_b - \bar{g}| \ge |\bar{g}|]}{R + 1}",
    where=[
        r"m_b = \frac{1}{n} \sum_{i=1}^{n} g_{r_{bi}}",
        r"\bar{g} = \frac{1}{n} \sum_{i=1}^{n} g_i",
    ],
    symbols={
        "g": "(n) value of each item",
        "r": "(R, n) the items of each resample, counted from 1",
        "p": "() how often a mean this far from 0 comes up by chance",
    },
    source="Efron 1979, Annals of Statistics 7; Davison & Hinkley 1997, Bootstrap Methods, section 4.2",
)
def bootstrap_p(values: Tensor, resamples: Tensor) -> Tensor:
    """The two-sided p of a mean of 0: how far resampled means lie from the mean, beside how far that lies from 0.

    Args:
        values: ``(n)`` one for each item.
        resamples: ``(R, n)`` the numbers of the items that each resample drew, counted from 0.

    Returns:
        ``()`` at least 1 / (R + 1): what was never seen may still be possible.
    """
    mean = values.mean()
    further = (values[resamples].mean(1) - mean).abs() >= mean.abs()
    return (1 + further.sum().to(values.dtype)) / (len(resamples) + 1)


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
def holm(p: Tensor) -> Tensor:
    r"""Correct several p for having been several; the chance of one false alarm or more stays below the level.

    To reject where the corrected p is at most $\alpha$ is Holm's procedure: go through the sorted p, and stop at the
    first that is larger than $\alpha / (m - i + 1)$.

    Args:
        p: ``(m)`` of the hypotheses, in any order.

    Returns:
        ``(m)`` in the order of ``p``.
    """
    ordered, order = p.sort(stable=True)
    factors = torch.arange(len(p), 0, -1, dtype=p.dtype)
    corrected = (factors * ordered).clamp(max=1).cummax(0).values
    return torch.empty_like(p).scatter(0, order, corrected)


def bootstrap(values: np.ndarray, *, level: float = 0.95, n_resamples: int = 4000, seed: int = 0) -> Interval:
    """The mean of some items with its percentile interval and its p.

    Args:
        values: ``(n)`` one for each item.
        level: share of intervals that are to cover the truth.
        n_resamples: R.
        seed: of the resamples.

    Raises:
        ValueError: if there is no item, a value is not finite, or the level is not between 0 and 1.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"got {len(values)} values, finite: {np.isfinite(values).all()}; expected finite ones, ≥ 1")
    if not 0 < level < 1 or n_resamples < 1:
        raise ValueError(f"got level={level}, n_resamples={n_resamples}; expected 0 < level < 1, as 0.95, and ≥ 1")
    drawn = np.random.default_rng(seed).integers(0, len(values), (n_resamples, len(values)))
    low, high = np.quantile(values[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    p = bootstrap_p(torch.from_numpy(values), torch.from_numpy(drawn))
    return Interval(float(values.mean()), float(low), float(high), float(p), len(values))
