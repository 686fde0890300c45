r"""Gradient clipping: a step is never longer than what is usual.

The norm that is limited is that of all gradients together, before the update.

Departure: the $10^{-6}$ in the divisor is PyTorch's; the paper has none.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from minigpt.equations import equation, fast_twin
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
        ``()``: the norm before clipping.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    for gradient in gradients:
        gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1))
    return norm


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
    parameters = list(parameters)
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    of_all = whole(norm)  # of sharded gradients each process has only its part
    if not of_all + 1e-6 <= max_norm:  # also where the norm is not a number
        nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return of_all
