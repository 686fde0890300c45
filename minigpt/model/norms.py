"""LayerNorm and RMSNorm: what keeps the numbers of a layer in range.

QK-norm is RMSNorm over the head width, applied to queries and keys before their dot product
(Henry et al. 2020, arXiv:2010.04245, in the form of Dehghani et al. 2023, arXiv:2302.05442).

Dimensions: D width; leading axes are arbitrary.
Departure: eps sits inside the root; the papers have none.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.equations import equation


@equation(
    "layer-norm",
    r"y_i = g_i \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + b_i",
    where=[r"\mu = \frac{1}{D} \sum_{j=1}^{D} x_j", r"\sigma^2 = \frac{1}{D} \sum_{j=1}^{D} (x_j - \mu)^2"],
    symbols={
        "x": "(D) input",
        "g": "(D) gain",
        "b": "(D) shift",
        r"\epsilon": "() small constant",
        r"\mu": "() mean",
        r"\sigma^2": "() variance",
        "y": "(D) output",
    },
    source="Ba, Kiros & Hinton 2016, arXiv:1607.06450",
)
def layer_norm(x: Tensor, gain: Tensor, shift: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Centre ``x`` and scale it to unit variance.

    Args:
        x: ``(..., D)`` floating point.
        gain: ``(D,)``.
        shift: ``(D,)``, or ``None`` for 0.
        eps: added to the variance; unit of ``x**2``.

    Returns:
        ``(..., D)`` in the dtype of ``x``; the moments are taken in at least float32.

    Raises:
        ValueError: if the last axis of ``x`` is not ``D``.
    """
    _check_width(x, gain)
    wide = _at_least_float32(x)
    mean = wide.mean(-1, keepdim=True)
    variance = (wide - mean).square().mean(-1, keepdim=True)
    y = gain * ((wide - mean) / torch.sqrt(variance + eps))
    return (y if shift is None else y + shift).to(x.dtype)


@equation(
    "rms-norm",
    r"y_i = g_i \frac{x_i}{\sqrt{\frac{1}{D} \sum_{j=1}^{D} x_j^2 + \epsilon}}",
    symbols={"x": "(D) input", "g": "(D) gain", r"\epsilon": "() small constant", "y": "(D) output"},
    source="Zhang & Sennrich 2019, arXiv:1910.07467, Eq. 4",
)
def rms_norm(x: Tensor, gain: Tensor, eps: float = 1e-6) -> Tensor:
    """Scale ``x`` to unit root mean square.

    Args:
        x: ``(..., D)`` floating point.
        gain: ``(D,)``.
        eps: added to the mean square; unit of ``x**2``.

    Returns:
        ``(..., D)`` in the dtype of ``x``; the mean is taken in at least float32.

    Raises:
        ValueError: if the last axis of ``x`` is not ``D``.
    """
    _check_width(x, gain)
    wide = _at_least_float32(x)
    mean_square = wide.square().mean(-1, keepdim=True)
    return (gain * (wide / torch.sqrt(mean_square + eps))).to(x.dtype)


class LayerNorm(nn.Module):
    """:func:`layer_norm` with its parameters, computed by PyTorch's fused kernel.

    Args:
        width: D.
        bias: whether there is a bias beside the gain.
        eps: added to the variance; unit of ``x**2``.
    """

    def __init__(self, width: int, *, bias: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width)) if bias else None
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        return F.layer_norm(x, self.gain.shape, self.gain, self.shift, self.eps)


class RMSNorm(nn.Module):
    """:func:`rms_norm` with its gain, computed by PyTorch's fused kernel.

    Args:
        width: D.
        eps: added to the mean square; unit of ``x**2``.
    """

    def __init__(self, width: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        # under autocast in the dtype of the gain, as PyTorch does it for LayerNorm
        return F.rms_norm(x.to(self.gain.dtype), self.gain.shape, self.gain, self.eps)


NORMS: dict[str, Callable[[int, bool, float], nn.Module]] = {
    "layer": lambda width, bias, eps: LayerNorm(width, bias=bias, eps=eps),
    "rms": lambda width, bias, eps: RMSNorm(width, eps=eps),
}


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _check_width(x: Tensor, gain: Tensor) -> None:
    if x.shape[-1:] != gain.shape:
        raise ValueError(f"x has width {x.shape[-1]} but gain has shape {tuple(gain.shape)}; expected ({x.shape[-1]},)")
