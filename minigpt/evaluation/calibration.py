r"""Calibration: of the answers that a model is 80 % sure of, are 80 % right?

The reliability diagram puts the answers into bins by their confidence and compares it with the share that is right.
Where a model may stay silent, the confidence decides when: it answers at or above a threshold. The coverage is the
share of questions that it answers, and the risk is the share of these answers that is wrong.

Dimensions: n answers, K bins.
Source: Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, arXiv:1706.04599; coverage and risk, El-Yaniv & Wiener
2010, JMLR 11.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.plots import BLUE, GREY, ORANGE, new_figure
from minigpt.settings import Range, fit, whole_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 15
_Coverage = Annotated[float, Range(0.0, 1.0, "(]", ", the share that is answered")]
_Accuracy = Annotated[float, Range(0.0, 1.0, "[]", ", the share of given answers that is right")]
NO_MEANS: Any = {"confidence": None, "accuracy": None}  # of an empty bin, where JSON has no NaN


class Bin(NamedTuple):
    """The answers whose confidence is in one interval.

    Attributes:
        low: the interval begins above this.
        high: it ends with this.
        n: answers.
        confidence: their mean; NaN in an empty bin.
        accuracy: the share that is right; NaN in an empty bin.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@equation(
    "expected-calibration-error",
    r"E = \frac{1}{n} \sum_{k=1}^{K} \left|\sum_{i=1}^{n} "
    r"\mathbb{1}[\frac{k - 1}{K} < c_i \le \frac{k}{K}] (y_i - c_i)\right|",
    symbols={
        "c": "(n) confidence of each answer",
        "y": "(n) 1 where it is right, 0 where it is wrong",
        "K": "() bins",
        "E": "() expected calibration error",
    },
    source="Naeini, Cooper & Hauskrecht 2015, AAAI; bins (low, high] as in Guo et al. 2017, arXiv:1706.04599",
)
def expected_calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> Tensor:
    r"""How far confidence and accuracy lie apart, bin by bin, weighed by the answers in each.

    The size of a bin times the difference of its means is the difference of its sums, so no empty bin divides by 0.
    The figure depends on the bins: more of them find more error, and, with few answers in each, noise as well.

    Args:
        confidence: ``(n)`` in (0, 1].
        right: ``(n)`` 1 or 0.
        bins: K, equally wide; each takes its upper end and not its lower.

    Returns:
        ``()`` from 0 to 1.
    """
    excess = torch.zeros(bins, dtype=confidence.dtype)
    excess.scatter_add_(0, _bin_of(confidence, bins), right.to(confidence.dtype) - confidence)
    return excess.abs().sum() / len(confidence)


def _bin_of(confidence: Tensor, bins: int) -> Tensor:
    return torch.bucketize(confidence, torch.arange(1, bins, dtype=confidence.dtype) / bins)


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values.detach().cpu().double() if isinstance(values, Tensor) else values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={values!r:.60} must be numbers, one for each answer") from None


@dataclass(frozen=True)
class Calibration:
    """How sure a model was of each of its answers, and which were right.

    Attributes:
        confidence: ``(n,)`` the probability of each answer that it gave.
        right: ``(n,)`` whether it was right.
        n_bins: K, of the diagram and the error.

    Raises:
        ValueError: if there are no answers, the lengths differ, a confidence is not in (0, 1], ``right`` is not true or
            false, or there is no bin.
    """

    confidence: np.ndarray
    right: np.ndarray
    n_bins: int = BINS

    def __post_init__(self) -> None:
        confidence, right = _numbers(self.confidence, "confidence"), _numbers(self.right, "right")
        if confidence.ndim != 1 or confidence.shape != right.shape or not len(confidence):
            raise ValueError(f"got shapes {confidence.shape} and {right.shape}; expected the same (n,) with n ≥ 1")
        if not ((confidence > 0) & (confidence <= 1)).all():
            raise ValueError(
                f"confidence goes from {confidence.min()} to {confidence.max()}; expected probabilities, above 0 "
                "and at most 1. Logarithms? Take exp() of them"
            )
        if not np.isin(right, (0, 1)).all():
            raise ValueError("right has other values than true and false; compare the answers with the right ones")
        object.__setattr__(self, "n_bins", whole_number("n_bins", self.n_bins, 1))
        object.__setattr__(self, "confidence", confidence)
        object.__setattr__(self, "right", right.astype(bool))

    @property
    def accuracy(self) -> float:
        """The share of all answers that is right."""
        return float(self.right.mean())

    @property
    def error(self) -> float:
        """The expected calibration error."""
        given = torch.from_numpy(self.confidence), torch.from_numpy(self.right)
        return float(expected_calibration_error(*given, self.n_bins))

    @property
    def bins(self) -> list[Bin]:
        """The reliability diagram as a table, empty bins included."""
        which, found = _bin_of(torch.from_numpy(self.confidence), self.n_bins).numpy(), []
        for k in range(self.n_bins):
            mine = which == k
            means = [float(each[mine].mean()) if mine.any() else math.nan for each in (self.confidence, self.right)]
            found.append(Bin(k / self.n_bins, (k + 1) / self.n_bins, int(mine.sum()), *means))
        return found

    @cached_property
    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Thresholds in falling order, and the coverage and the accuracy of answering at each or above.

        Answers of the same confidence are given together or not at all.
        """
        order = np.argsort(-self.confidence, kind="stable")
        sorted_confidence, right = self.confidence[order], np.cumsum(self.right[order])
        last = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)  # of those that are equally sure
        answered = np.arange(1, len(order) + 1)[last]
        return sorted_confidence[last], answered / len(order), right[last] / answered

    def risk_at(self, coverage: float) -> float:
        """The share of wrong answers where the surest ones are answered, at least this share of all.

        Args:
            coverage: above 0, at most 1.

        Raises:
            ValueError: if it is not.
        """
        fit("coverage", coverage, _Coverage)
        _, covered, accuracy = self.curve
        return float(1 - accuracy[np.searchsorted(covered, coverage - 1e-12)])

    def threshold_for(self, accuracy: float) -> float | None:
        """The lowest threshold at which the answers given are right so often; ``None`` where there is none.

        Chosen and measured on the same answers it looks better than it will be on others: choose it on one half and
        measure on the other.

        Args:
            accuracy: the target, from 0 to 1.

        Raises:
            ValueError: if it is not.
        """
        fit("accuracy", accuracy, _Accuracy)
        thresholds, _, reached = self.curve
        enough = np.flatnonzero(reached >= accuracy)
        return float(thresholds[enough[-1]]) if len(enough) else None

    def to_object(self) -> dict[str, Any]:
        """The figures and the bins by name, as what JSON can hold; a mean of an empty bin is ``None``."""
        return {
            "answers": len(self.right),
            "accuracy": self.accuracy,
            "confidence": float(self.confidence.mean()),
            "expected_calibration_error": self.error,
            "bins": [(row if row.n else row._replace(**NO_MEANS))._asdict() for row in self.bins],
            "risk_at_coverage": {f"{share:g}": self.risk_at(share) for share in (0.25, 0.5, 0.75, 1.0)},
        }

    def plot(self) -> "Figure":
        """The reliability diagram, and the accuracy at each coverage.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (left, right) = new_figure(2)
        full = [row for row in self.bins if row.n]
        left.bar(
            [row.low for row in full],
            [row.accuracy for row in full],
            width=1 / self.n_bins,
            align="edge",
            color=BLUE,
            edgecolor="white",
        )
        left.plot([row.confidence for row in full], [row.accuracy for row in full], "o", color=ORANGE)
        left.plot([0, 1], [0, 1], color=GREY, linestyle="--")
        left.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
        _, coverage, accuracy = self.curve
        right.step(coverage, accuracy, where="pre", color=BLUE)
        right.set(xlabel="coverage: the share that is answered", xlim=(0, 1))
        return figure

    def __str__(self) -> str:
        lines = [f"{'confidence':>14}  {'answers':>7}  {'mean':>6}  {'right':>6}"]
        lines += [
            f"({row.low:.3f}, {row.high:.3f}]  {row.n:7,}  {row.confidence:6.1%}  {row.accuracy:6.1%}"
            for row in self.bins
            if row.n
        ]
        risks = ", ".join(f"{self.risk_at(share):.1%} at {share:.0%}" for share in (0.25, 0.5, 0.75, 1.0))
        return "\n".join(
            [
                *lines,
                f"{len(self.right):,} answers, {self.accuracy:.1%} right, {self.confidence.mean():.1%} sure on average",
                f"expected calibration error {self.error:.4f} ({self.n_bins} bins)",
                f"wrong answers by coverage: {risks}",
            ]
        )
