r"""A scaling law fitted to one's own runs.

The law is fitted to the logarithms of the losses, so that a percent counts as much at every size, and by Huber's loss,
so that a run that went wrong counts less:

$$
\min_{E, A, \alpha, B, \beta} \sum_i h\left(\ln\left(E + \frac{A}{N_i^\alpha} + \frac{B}{D_i^\beta}\right)
- \ln L_i\right), \qquad
h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta (|r| - \delta / 2) & \text{otherwise} \end{cases}
$$

Its constants are positive, so their logarithms are what is searched for. Several starts are followed at once, and the
best end counts. The error bars are those of the same fit to runs that are drawn again from those given (bootstrap).

Source: Hoffmann et al. 2022, arXiv:2203.15556, appendix D.2.
Departure: the steps are those of Levenberg and Marquardt with Huber's weights, not of L-BFGS; the minimum is the same.
Dimensions: n runs, k constants: E, A and α, and where the runs say their tokens, B and β; s starts or samples at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from minigpt.cost.scaling.chinchilla import ScalingLaw

LAW_NAMES = ("E", "A", "alpha", "B", "beta")
DELTA = 1e-3  # Huber's; the value of the source
MOST_ROUNDS = 200  # of steps, for each start
STILL = 1e-10  # a step of the logarithms that changes nothing


@dataclass(frozen=True, kw_only=True)
class ScalingPoint:
    """A run.

    Attributes:
        parameters: N.
        loss: L, in nats per token.
        tokens: D; ``None`` where all runs have read the same, or the same number a parameter.
    """

    parameters: float
    loss: float
    tokens: float | None = None


@dataclass(frozen=True, kw_only=True)
class FittedLaw(ScalingLaw):
    """A law with its error bars.

    Attributes:
        errors: from each constant to its standard error over the bootstrap samples; empty without them.
        residual: root mean square of ln(predicted) - ln(measured).
        samples: the laws of the bootstrap samples.
    """

    errors: dict[str, float]
    residual: float
    samples: tuple[ScalingLaw, ...] = ()

    def interval(self, parameters: float, tokens: float = math.inf, share: float = 0.9) -> tuple[float, float]:
        """Between which losses this share of the bootstrap samples predict.

        Args:
            parameters: N.
            tokens: D.
            share: such as 0.9.

        Raises:
            ValueError: if the law was fitted without bootstrap samples.
        """
        if not self.samples:
            raise ValueError("the law has no bootstrap samples; fit it with bootstrap=200")
        losses = [law.loss(parameters, tokens) for law in self.samples]
        low, high = np.quantile(losses, [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)

    def __str__(self) -> str:
        kept = LAW_NAMES if self.B else LAW_NAMES[:3]
        shown = [
            f"{name} = {getattr(self, name):.4g}" + (f" ± {self.errors[name]:.2g}" if self.errors else "")
            for name in kept
        ]
        data = " + B/D^beta" if self.B else ""
        return f"L = E + A/N^alpha{data}: {', '.join(shown)}; residual {self.residual:.2%}"


def fit_scaling_law(
    points: Sequence[ScalingPoint], *, bootstrap: int = 0, delta: float = DELTA, seed: int = 0
) -> FittedLaw:
    """Fit a scaling law to runs, robustly.

    Args:
        points: the runs; of at least as many sizes and lengths as the law has constants.
        bootstrap: how many times the runs are drawn again for error bars; 0 for none.
        delta: residual of the logarithm beyond which a run counts less.
        seed: of the draws.

    Raises:
        ValueError: if there are too few runs, only some say their tokens, or a number is not positive.
    """
    sizes, losses = _arrays(points)
    starts = _starts(sizes, losses)
    ends = _descend(starts, sizes, losses, np.ones((len(starts), len(losses))), delta)
    best = ends[np.argmin(_objective(ends, sizes, losses, delta))]
    samples: tuple[ScalingLaw, ...] = ()
    if bootstrap:
        drawn = np.random.default_rng(seed).integers(len(losses), size=(bootstrap, len(losses)))
        counts = np.stack([np.bincount(row, minlength=len(losses)) for row in drawn]).astype(float)
        samples = tuple(_law(z) for z in _descend(np.tile(best, (bootstrap, 1)), sizes, losses, counts, delta))
    law = _law(best)
    errors = {name: float(np.std([getattr(each, name) for each in samples])) for name in LAW_NAMES if samples}
    residual = float(np.sqrt(np.mean(_residuals(best[None], sizes, losses) ** 2)))
    return FittedLaw(**vars(law), errors=errors, residual=residual, samples=samples)


def _arrays(points: Sequence[ScalingPoint]) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of N, and of D where it is known, ``(1 or 2, n)``; and of the losses ``(n,)``."""
    with_tokens = [point.tokens is not None for point in points]
    if len(set(with_tokens)) > 1:
        raise ValueError("some runs say their tokens and some do not; give them for all runs, or for none")
    rows = [[p.parameters, *([] if p.tokens is None else [p.tokens]), p.loss] for p in points]
    needed = 5 if any(with_tokens) else 3
    if len({tuple(row) for row in rows}) < needed:
        raise ValueError(f"got {len(rows)} runs; {needed} constants need at least {needed} different runs")
    table = np.array(rows, dtype=float).T
    if not (np.isfinite(table).all() and (table > 0).all()):
        raise ValueError("parameters, tokens and losses must be positive numbers")
    for name, row in zip(("parameters", "tokens"), table[:-1], strict=False):
        if len(set(row)) < 3:
            raise ValueError(f"{len(set(row))} different numbers of {name}; a constant and an exponent need 3 or more")
    return np.log(table[:-1]), np.log(table[-1])


def _starts(sizes: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Where to begin, ``(s, k)``: exponents from 0.2 to 0.8, and how the loss divides among the terms."""
    found = []
    for share, *exponents in product((0.1, 0.5, 0.9), *((0.2, 0.5, 0.8),) * len(sizes)):
        level = losses.min()
        rest = (1 - share) / len(sizes)
        terms = [(level + np.log(rest) + a * row.mean(), np.log(a)) for a, row in zip(exponents, sizes, strict=True)]
        found.append([level + np.log(share), *(number for term in terms for number in term)])
    return np.array(found)


def _terms(z: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The logarithms of the terms of the law, ``(s, 1 + terms, n)``."""
    floor = np.broadcast_to(z[:, :1, None], (len(z), 1, sizes.shape[1]))
    return np.concatenate([floor, z[:, 1::2, None] - np.exp(z[:, 2::2, None]) * sizes], axis=1)


def _residuals(z: np.ndarray, sizes: np.ndarray, losses: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp.reduce(_terms(z, sizes), axis=1) - losses)


def _objective(
    z: np.ndarray, sizes: np.ndarray, losses: np.ndarray, delta: float, counts: np.ndarray | float = 1.0
) -> np.ndarray:
    size = np.abs(_residuals(z, sizes, losses))
    return np.asarray((counts * np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))).sum(1))


def _descend(z: np.ndarray, sizes: np.ndarray, losses: np.ndarray, counts: np.ndarray, delta: float) -> np.ndarray:
    """The ends of the steps from each start ``(s, k)``, with each run counted ``(s, n)`` times."""
    z, damping = z.copy(), np.full(len(z), 1e-2)
    value = _objective(z, sizes, losses, delta, counts)
    for _ in range(MOST_ROUNDS):
        terms = _terms(z, sizes)
        total = np.logaddexp.reduce(terms, axis=1, keepdims=True)
        parts = np.exp(terms - total)  # the share of each term in the loss
        slopes = np.empty((len(z), z.shape[1], sizes.shape[1]))
        slopes[:, 0], slopes[:, 1::2] = parts[:, 0], parts[:, 1:]
        slopes[:, 2::2] = -parts[:, 1:] * np.exp(z[:, 2::2, None]) * sizes
        residuals = total[:, 0] - losses
        weights = counts * np.minimum(1, delta / np.maximum(np.abs(residuals), 1e-300))
        weighted = slopes * weights[:, None]
        gradient, curvature = weighted @ residuals[..., None], weighted @ slopes.swapaxes(1, 2)
        diagonal = np.einsum("skk->sk", curvature)
        diagonal += damping[:, None] * np.maximum(diagonal, 1e-12)
        step = np.clip(np.linalg.solve(curvature, gradient)[..., 0], -1, 1)
        tried = z - step
        new = _objective(tried, sizes, losses, delta, counts)
        better = new < value
        z, value = np.where(better[:, None], tried, z), np.where(better, new, value)
        damping = np.clip(np.where(better, damping / 3, damping * 4), 1e-12, 1e8)
        if np.abs(step).max() < STILL:
            break
    return z


def _law(z: np.ndarray) -> ScalingLaw:
    return ScalingLaw(**dict(zip(LAW_NAMES, map(float, np.exp(z)), strict=False)))
