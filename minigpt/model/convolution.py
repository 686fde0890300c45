r"""A short causal convolution: each position takes in a little of the few before it, number by number.

Attention has to learn to look at the neighbours before it can look for what stood beside a word the last time. This
hands it the neighbours, for K numbers a dimension, and what must be learnt by heart from context is learnt far sooner.

Dimensions: T positions, D model width, K positions that are taken in, the position itself among them.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.equations import equation, fast_twin
from minigpt.model.context import NO_POSITIONS, Context
from minigpt.model.inspection import is_transformed
from minigpt.model.norms import as_wide_as


@equation(
    "short-convolution",
    r"y_{ti} = x_{ti} + \sum_{k=1}^{K} \sum_{s=1}^{T} \mathbb{1}[s + k = t + 1] w_{ki} x_{si}",
    symbols={
        "x": "(T, D) the residual stream",
        "w": "(K, D) weights, those of the position itself first",
        "y": "(T, D) the residual stream with its neighbourhood",
        "K": "() positions taken in",
        "T": "() positions",
    },
    source="Allen-Zhu 2025, Physics of Language Models, part 4.1 (Canon layers); "
    "on queries, keys and values: So et al. 2021, arXiv:2109.08668",
)
def short_convolution(x: Tensor, weights: Tensor) -> Tensor:
    """Add to each position a weighted sum of itself and those just before it.

    Args:
        x: ``(..., T, D)``.
        weights: ``(K, D)``: row 1 for the position itself, row 2 for the one before, …

    Returns:
        ``(..., T, D)``; position t depends on positions ≤ t alone.
    """
    y = x
    for back, weight in enumerate(weights[: x.shape[-2]]):
        y = y + weight * F.pad(x, (0, 0, back, -back))
    return y


class FastShortConvolution(torch.autograd.Function):
    r"""The same sums, each added in place: no padded copy of x, forward or backward.

    $$
    \frac{\partial L}{\partial x_{si}} = g_{si} + \sum_{k=1}^{K} w_{ki} g_{s+k-1,i}, \qquad
    \frac{\partial L}{\partial w_{ki}} = \sum_{s=1}^{T-k+1} x_{si} g_{s+k-1,i}, \qquad
    g = \frac{\partial L}{\partial y}
    $$
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor) -> Tensor:
        """``(..., T, D)`` and ``(K, D)`` → ``(..., T, D)``."""
        ctx.save_for_backward(x, weights)
        y = x * (1 + weights[0])
        for back in range(1, min(len(weights), x.shape[-2])):
            y[..., back:, :].addcmul_(x[..., :-back, :], weights[back])
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients with respect to x and the weights."""
        x, weights = ctx.saved_tensors
        n_positions, n_dims = x.shape[-2:]
        to_x, to_weights = g * (1 + weights[0]), torch.zeros_like(weights)
        for back in range(min(len(weights), n_positions)):
            later, earlier = g[..., back:, :], x[..., : n_positions - back, :]
            to_weights[back] = (later * earlier).reshape(-1, n_dims).sum(0)
            if back:
                to_x[..., :-back, :].addcmul_(later, weights[back])
        return to_x, to_weights


@fast_twin(
    of=short_convolution,
    error=1e-6,
    gradient="by hand",
    when="`ShortConvolution`",
    faster="sums in place: no padded copies, forward or backward",
)
def fast_short_convolution(x: Tensor, weights: Tensor) -> Tensor:
    """:func:`short_convolution`, same arguments, by :class:`FastShortConvolution`.

    In a transform of ``torch.func`` it is computed by the formula.
    """
    if is_transformed():
        return short_convolution(x, weights)
    if torch.compiler.is_exporting():
        return _for_any_length(x, weights)
    y: Tensor = FastShortConvolution.apply(x, weights)
    return y


def _for_any_length(x: Tensor, weights: Tensor) -> Tensor:
    """The same sums in an exported program, which is for any T and so does not ask whether T is less than K."""
    before = len(weights) - 1
    padded = F.pad(x, (0, 0, before, 0))
    return x + sum(w * padded[..., before - k : before - k + x.shape[-2], :] for k, w in enumerate(weights))


class ShortConvolution(nn.Module):
    """Owns the weights of :func:`short_convolution`, computed without copies; they start at 0, as the identity.

    Args:
        n_positions: K.
        d_model: D.
    """

    parameter_roles: ClassVar = {"taps": "taps"}

    def __init__(self, n_positions: int, d_model: int) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.zeros(n_positions, d_model))

    def forward(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(..., T, D)`` → ``(..., T, D)``; with a cache, what it has kept comes before."""
        taps = as_wide_as(x, self.taps)
        if context.kept is None or context.kept.inputs is None:
            return fast_short_convolution(x, taps)
        n_new = x.shape[-2]
        real = None if context.padding is None else (context.real_positions(n_new) >= 0).unsqueeze(-1)
        new = x if real is None else x * real  # a row begins at its first real token: before it are zeros
        seen = context.kept.inputs.extend(new, context.start).to(x.dtype)
        y = fast_short_convolution(seen, taps)[..., -n_new:, :]
        return y if real is None else torch.where(real, y, x)


class NoConvolution(nn.Module):
    """In the place of a convolution where there is none."""

    def forward(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``x`` itself."""
        return x
