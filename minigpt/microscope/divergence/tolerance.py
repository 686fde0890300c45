"""How far two tensors are apart, and how far rounding may drive them."""

import math

import torch
from torch import Tensor

ROUNDINGS = 32  # spacings of the dtype that one layer may add
LEAST_SCALE = 1e-3  # of the root mean square of all positions: where numbers nearly vanish, their own is no measure


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference of two elements, in units of the root mean square of ``a`` at its position.

    Args:
        a: ``(..., n)``; the last axis holds the numbers of a position.
        b: the same shape.

    Returns:
        ``inf`` where the shapes differ, or one of two elements is not finite and they are not the same.
    """
    if a.shape != b.shape:
        return math.inf
    if not a.numel():
        return 0.0
    apart = _apart(a, b)
    return float((apart / _scale(a)).max())


def budget_of(a: Tensor, b: Tensor, n_layers: int) -> float:
    """What rounding may cause, in the unit of :func:`distance`; 0 for whole numbers.

    Args:
        a: a tensor.
        b: the other one; the coarser dtype counts.
        n_layers: the layers that were computed so far.
    """
    spacings = [torch.finfo(x.dtype).eps for x in (a, b) if x.is_floating_point()]
    return ROUNDINGS * max(spacings, default=0.0) * math.sqrt(n_layers)


def first_apart(a: Tensor, b: Tensor, budget: float) -> tuple[int, ...]:
    """The index of the first element, in the order of memory, whose difference is beyond the budget.

    Args:
        a: ``(..., n)``.
        b: the same shape.
        budget: see :func:`budget_of`.
    """
    beyond = (_apart(a, b) / _scale(a)) > budget
    return tuple(int(i) for i in beyond.nonzero()[0])


def _apart(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.double(), b.double().to(a.device)
    apart = (a - b).abs()
    same = (a == b) | (a.isnan() & b.isnan())
    return torch.where(same, 0.0, apart.nan_to_num(nan=math.inf, posinf=math.inf))


def _scale(a: Tensor) -> Tensor:
    squares = a.double().square().nan_to_num(posinf=0.0)
    overall = squares.mean().sqrt()
    own = squares.mean(-1, keepdim=True).sqrt() if a.dim() else overall
    return own.clamp(min=max(LEAST_SCALE * float(overall), torch.finfo(torch.float64).tiny))
