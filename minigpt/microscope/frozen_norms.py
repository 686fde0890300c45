"""A norm as what it is once its scale is known: a linear map, which can be taken apart.

Dimensions: D model width; leading axes are arbitrary.
"""

import torch
from torch import Tensor, nn

from minigpt.model import LayerNorm, RMSNorm


def norm_scale(norm: nn.Module, x: Tensor) -> Tensor:
    """What a norm divides by: the standard deviation of LayerNorm, the root mean square of RMSNorm.

    Args:
        norm: of the model; the identity divides by 1.
        x: ``(..., D)``, what enters it.

    Returns:
        ``(..., 1)``.
    """
    if not isinstance(norm, LayerNorm | RMSNorm):
        return x.new_ones(*x.shape[:-1], 1)
    return (centred(norm, x).square().mean(-1, keepdim=True) + norm.eps).sqrt()


def normalised_by(norm: nn.Module, x: Tensor, scale: Tensor, *, shifted: bool = True) -> Tensor:
    """What a norm makes of a vector, with the scale of another one; linear in the vector but for the shift.

    Args:
        norm: of the model.
        x: ``(..., D)``.
        scale: ``(..., 1)``, of :func:`norm_scale`.
        shifted: whether LayerNorm's shift is added.

    Returns:
        ``(..., D)``.
    """
    if not isinstance(norm, LayerNorm | RMSNorm):
        return x / scale
    y = norm.gain * (centred(norm, x) / scale)
    shift = shift_of(norm)
    return (y + shift if shifted and shift is not None else y).to(x.dtype)


def centred(norm: nn.Module, x: Tensor) -> Tensor:
    """A vector less its mean, where the norm takes it off; in at least float32.

    Args:
        norm: of the model.
        x: ``(..., D)``.
    """
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return wide - wide.mean(-1, keepdim=True) if isinstance(norm, LayerNorm) else wide


def shift_of(norm: nn.Module) -> Tensor | None:
    """``(D,)``: what a norm adds at the end, or ``None``.

    Args:
        norm: of the model.
    """
    return norm.shift if isinstance(norm, LayerNorm) else None
