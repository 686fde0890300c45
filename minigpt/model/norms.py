"""LayerNorm and RMSNorm: what keeps the numbers of a layer in range.

QK-norm is RMSNorm over the head width, applied to queries and keys before their dot product
(Henry et al. 2020, arXiv:2010.04245, in the form of Dehghani et al. 2023, arXiv:2302.05442).

Dimensions: D width; leading axes are arbitrary.
Departure: eps sits inside the root; the papers have none.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.equations import equation, fast_twin
from minigpt.model.inspection import is_transformed


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


@fast_twin(
    of=layer_norm,
    error=1e-5,
    gradient="autograd",
    when="`LayerNorm`",
    faster="PyTorch's kernel: one pass over memory",
    bfloat16=True,
)
def fast_layer_norm(x: Tensor, gain: Tensor, shift: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """:func:`layer_norm`, same arguments, by PyTorch's kernel; in a transform of ``torch.func`` by the formula.

    PyTorch's second derivative of it is wrong where two ``vmap`` are inside each other, as in ``torch.func.hessian``.
    On a CPU it sums the gradients of gain and shift in the dtype of x, so 16 bits are widened.
    """
    if is_transformed():
        return layer_norm(x, gain, shift, eps)
    if x.device.type == "cpu" and x.dtype.itemsize == 2 and not torch.is_inference_mode_enabled():
        wide = F.layer_norm(x.float(), gain.shape, gain.float(), None if shift is None else shift.float(), eps)
        return wide.to(x.dtype)
    return F.layer_norm(x, gain.shape, gain, shift, eps)


class LayerNorm(nn.Module):
    """:func:`layer_norm` with its parameters, computed by :func:`fast_layer_norm`.

    Args:
        width: D.
        bias: whether there is a bias beside the gain.
        eps: added to the variance; unit of ``x**2``.
    """

    parameter_roles: ClassVar = {"gain": "gain", "shift": "bias"}

    def __init__(self, width: int, *, bias: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width)) if bias else None
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        shift = None if self.shift is None else as_wide_as(x, self.shift)
        return fast_layer_norm(x, as_wide_as(x, self.gain), shift, self.eps)


class FastRMSNorm(torch.autograd.Function):
    r""":func:`rms_norm` in few passes over memory, above all in the gradient.

    $$
    n = \frac{x}{r}, \qquad \frac{\partial L}{\partial g_i} = \sum n_i h_i, \qquad
    \frac{\partial L}{\partial x_i} = \frac{1}{r} \Big(g_i h_i - \frac{n_i}{D} \sum_{j=1}^{D} g_j h_j n_j\Big),
    \qquad h = \frac{\partial L}{\partial y}
    $$

    where r is the root that :func:`rms_norm` divides by, and the first sum is over all vectors.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, eps: float) -> Tensor:
        """``(..., D)`` and ``(D,)`` → ``(..., D)``."""
        wide = _at_least_float32(x)
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = torch.rsqrt(length.square() / x.shape[-1] + eps)
        ctx.save_for_backward(x, scale, gain)
        ctx.eps = eps
        return (wide * scale * gain).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, h: Tensor) -> tuple[Tensor, Tensor, None]:
        """The gradients with respect to x and the gain."""
        x, scale, gain = ctx.saved_tensors
        wide = _at_least_float32(x)
        if torch.is_grad_enabled():  # this gradient is differentiated in turn, and the kept scale knows nothing of x
            scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + ctx.eps)
        n = wide * scale
        along = h * n
        share = (along * gain).sum(-1, keepdim=True) / n.shape[-1]
        to_x = torch.addcmul((h * gain).to(n.dtype), n, share, value=-1).mul_(scale)
        return to_x.to(h.dtype), along.reshape(-1, n.shape[-1]).sum(0).to(gain.dtype), None


@fast_twin(
    of=rms_norm,
    error=1e-6,
    gradient="by hand",
    when="`RMSNorm` on a CPU, where PyTorch has no kernel for it",
    faster="few passes over memory, above all in the gradient",
    bfloat16=True,
)
def fast_rms_norm(x: Tensor, gain: Tensor, eps: float = 1e-6) -> Tensor:
    """:func:`rms_norm`, same arguments, by :class:`FastRMSNorm`; in a transform of ``torch.func`` by the formula.

    In inference mode, as in generation, PyTorch's own costs less than the call of a function with a gradient.
    """
    if is_transformed():
        return rms_norm(x, gain, eps)
    _check_width(x, gain)  # else a width of 1 would be stretched to that of the gain
    if torch.is_inference_mode_enabled():
        return F.rms_norm(x, gain.shape, gain, eps)
    y: Tensor = FastRMSNorm.apply(x, gain, eps)
    return y


@fast_twin(
    of=rms_norm,
    error=1e-6,
    gradient="autograd",
    when="`RMSNorm` on a GPU",
    faster="PyTorch's kernel: one pass over memory",
    bfloat16=True,
)
def torch_rms_norm(x: Tensor, gain: Tensor, eps: float = 1e-6) -> Tensor:
    """:func:`rms_norm`, same arguments, by PyTorch."""
    return F.rms_norm(x, gain.shape, gain, eps)


class RMSNorm(nn.Module):
    """:func:`rms_norm` with its gain, computed by :func:`fast_rms_norm` on a CPU, elsewhere :func:`torch_rms_norm`.

    Args:
        width: D.
        eps: added to the mean square; unit of ``x**2``.
    """

    parameter_roles: ClassVar = {"gain": "gain"}

    def __init__(self, width: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        gain = as_wide_as(x, self.gain)
        x = x.to(gain.dtype)  # under autocast too, as PyTorch does it for LayerNorm
        norm = fast_rms_norm if x.device.type == "cpu" else torch_rms_norm
        return norm(x, gain, self.eps)


NORMS: dict[str, Callable[[int, bool, float], nn.Module]] = {
    "layer": lambda width, bias, eps: LayerNorm(width, bias=bias, eps=eps),
    "rms": lambda width, bias, eps: RMSNorm(width, eps=eps),
}


def as_wide_as(x: Tensor, parameter: Tensor) -> Tensor:
    """A parameter in the dtype of ``x``, if that is wider: in 16 bits, FSDP fetches it narrower than the stream is."""
    if parameter.dtype == x.dtype:
        return parameter
    return parameter.to(torch.promote_types(parameter.dtype, x.dtype))


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _check_width(x: Tensor, gain: Tensor) -> None:
    if x.shape[-1:] != gain.shape:
        width = x.shape[-1] if x.dim() else 0
        raise ValueError(f"x has width {width} but gain has shape {tuple(gain.shape)}; expected ({width},)")
