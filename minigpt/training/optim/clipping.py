r"""Gradient clipping: a step is never longer than what is usual.

The norm that is limited is that of all gradients together, before the update.

Departure: the $10^{-6}$ in the divisor is PyTorch's; the paper has none.
"""

from collections.abc import Callable, Iterable
from math import isfinite

import torch
from torch import Tensor, nn

from minigpt.equations import equation, fast_twin
from minigpt.training.optim.base import gradient, with_gradient
from minigpt.training.processes.strategies import whole


@equation(
    "clip-by-norm",
    r"""\begin{aligned}
    N &= \sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2} \\
    g'_k &= g_k \min\left(1, \frac{c}{N + 10^{-6}}\right)
    \end{aligned}""",
    symbols={
        "g": "(K, M) gradients, a row for each of K parameters",
        "c": "() largest norm allowed",
        "N": "() norm of all gradients together",
        "g'": "(K, M) clipped gradients",
    },
    source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, Algorithm 1",
)
@torch.no_grad()
def clip_by_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients so that their common norm is at most ``max_norm``, in place.

    Args:
        parameters: ``(...)`` each, whose ``.grad`` is clipped; those without one are passed over.
        max_norm: c, unit of a gradient.

    Returns:
        ``()``: the norm before clipping. It is infinite, or not a number, where a gradient is or where no number of
        their type is as large.

    Raises:
        ValueError: if a gradient is sparse, or one tensor is given in place of several.
    """
    gradients = [gradient(p) for p in with_gradient(parameters)]
    norm = _norm(gradients) if gradients else torch.zeros(())
    if norm.isinf():
        norm = scaled_norm(gradients, _norm).to(norm.dtype)
    for g in gradients:
        g.mul_((max_norm / (norm + 1e-6)).clamp(max=1))
    return norm


def _norm(gradients: list[Tensor]) -> Tensor:
    return torch.stack([g.square().sum() for g in gradients]).sum().sqrt()


def scaled_norm(gradients: list[Tensor], norm_of: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """The norm of gradients whose squares are too large for their type, as those of 1e20 are for float32.

    Divided by the largest number, none is above 1; 16 bits are widened: float16 can count 65,504 of those.
    One gradient is copied at a time.

    Args:
        gradients: ``(...)`` each, of one shard in each process or whole.
        norm_of: from gradients to their norm.

    Returns:
        ``()`` at least float32: infinite where a gradient is, or where the norm itself is too large.
    """
    largest = max(whole(g).abs().max().item() for g in gradients if g.numel())
    if not isfinite(largest):
        return norm_of(gradients)
    parts = (g.to(torch.promote_types(g.dtype, torch.float32)) / largest for g in gradients)
    return norm_of([norm_of([part]) for part in parts]) * largest


@fast_twin(
    of=clip_by_norm,
    error=1e-6,
    gradient="none",
    when="every update of training",
    faster="each operation on all gradients at once",
    exact="gradients within the norm are not touched",
)
def fast_clip_by_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """:func:`clip_by_norm`, same arguments, by PyTorch's kernels, which leave gradients within the bound untouched."""
    parameters = with_gradient(parameters)
    gradients = [gradient(p) for p in parameters]
    norm = nn.utils.get_total_norm(gradients)
    of_all = whole(norm)  # of sharded gradients each process has only its part
    if not of_all + 1e-6 <= max_norm:  # also where the norm is not a number
        if of_all.isinf():
            norm = scaled_norm(gradients, nn.utils.get_total_norm).to(norm.dtype)
            of_all = whole(norm)
        nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return of_all
