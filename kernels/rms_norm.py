r"""RMSNorm in one kernel forward and one backward: the first Triton kernel to read.

It is a teaching example. Tests hold it equal to ``minigpt.rms_norm``, but no model uses it: whether it is faster than
PyTorch's kernel has not been measured.

$$y_i = g_i \frac{x_i}{r} \qquad r = \sqrt{\tfrac1D \sum_j x_j^2 + \epsilon}$$

A GPU runs many copies of a kernel at once. Each asks ``tl.program_id`` which one it is, loads its part of the input
into registers, computes, and stores its part of the output. Here a program takes one row: x is read once and y written
once, where separate operations would move every intermediate result through memory.

Backward, with $\hat{x} = x / r$ and $w = g \odot \mathrm{dy}$:

$$\mathrm{dx}_i = \frac1r \Big(w_i - \hat{x}_i \, \tfrac1D \sum_j w_j \hat{x}_j\Big) \qquad
\mathrm{dg}_i = \sum_{\mathrm{rows}} \mathrm{dy}_i \, \hat{x}_i$$

Dimensions: N rows, D width, BLOCK the width rounded up to a power of 2, as Triton's ranges are.
Source: Zhang & Sennrich 2019, arXiv:1910.07467, Eq. 4; eps inside the root is ours.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .derivatives import refuse_second_derivative


@triton.jit
def forward_kernel(x_ND, gain_D, y_ND, r_N, D, eps, BLOCK: tl.constexpr):
    r"""One row: $r = \sqrt{\tfrac1D \sum x^2 + \epsilon}$, $y = g \odot x / r$."""
    row = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ND + row * D + i, mask=i < D, other=0.0).to(r_N.dtype.element_ty)
    r = tl.sqrt(tl.sum(x * x, 0) / D + eps)
    gain = tl.load(gain_D + i, mask=i < D, other=0.0)
    tl.store(y_ND + row * D + i, (gain * (x / r)).to(y_ND.dtype.element_ty), mask=i < D)
    tl.store(r_N + row, r)


@triton.jit
def backward_kernel(x_ND, gain_D, r_N, dy_ND, dx_ND, dgain_PD, N, D, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    r"""ROWS rows: $\mathrm{dx} = (w - \hat{x} \tfrac1D \sum w \hat{x}) / r$, $\sum \mathrm{dy} \odot \hat{x}$."""
    program = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, BLOCK)
    wide = r_N.dtype.element_ty
    gain = tl.load(gain_D + i, mask=i < D, other=0.0).to(wide)
    dgain = tl.zeros([BLOCK], wide)
    for row in range(program * ROWS, tl.minimum((program + 1) * ROWS, N)):
        at = tl.cast(row, tl.int64) * D + i
        r = tl.load(r_N + row)
        x_hat = tl.load(x_ND + at, mask=i < D, other=0.0).to(wide) / r
        dy = tl.load(dy_ND + at, mask=i < D, other=0.0).to(wide)
        w = gain * dy
        dx = (w - x_hat * (tl.sum(w * x_hat, 0) / D)) / r
        tl.store(dx_ND + at, dx.to(dx_ND.dtype.element_ty), mask=i < D)
        dgain += dy * x_hat
    tl.store(dgain_PD + program * D + i, dgain, mask=i < D)


class RMSNormFunction(torch.autograd.Function):
    """The two kernels as one differentiable operation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, eps: float) -> Tensor:
        """Keep r for the backward pass: one number for each row."""
        width = x.shape[-1]
        rows = x.reshape(-1, width).contiguous()
        y, r = torch.empty_like(rows), rows.new_empty(len(rows), dtype=torch.promote_types(x.dtype, torch.float32))
        with torch.cuda.device_of(x):
            forward_kernel[(len(rows),)](rows, gain, y, r, width, eps, **_settings(width))
        ctx.save_for_backward(rows, gain, r)
        return y.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        """Each program sums the gain's gradient of its rows, and PyTorch adds those sums: the same bits every time."""
        refuse_second_derivative("the fused norm", "minigpt.rms_norm")
        rows, gain, r = ctx.saved_tensors
        n_rows, width = rows.shape
        n_programs = triton.cdiv(n_rows, ROWS_A_PROGRAM)
        dx, dgain = torch.empty_like(rows), r.new_empty(n_programs, width)
        with torch.cuda.device_of(rows):
            backward_kernel[(n_programs,)](
                *(rows, gain, r, dy.reshape(-1, width).contiguous(), dx, dgain),
                *(n_rows, width, ROWS_A_PROGRAM),
                **_settings(width),
            )
        return dx.view(dy.shape), dgain.sum(0).to(gain.dtype), None


ROWS_A_PROGRAM = 32
INTERPRETED = not isinstance(forward_kernel, triton.JITFunction)


def n_warps(block: int) -> int:
    """Groups of threads for a row of ``block`` numbers: 16 numbers a thread, as far as 4 to 16 groups go.

    Rows of more than 8,192 numbers no longer fit in the registers: the backward kernel spills.
    """
    return min(16, max(4, block // 512))


def _settings(width: int) -> dict[str, Any]:
    block = triton.next_power_of_2(width)
    return {"BLOCK": block, "num_warps": n_warps(block), "enable_fp_fusion": True}


def fused_rms_norm(x: Tensor, gain: Tensor, eps: float = 1e-6) -> Tensor:
    """What ``minigpt.rms_norm`` computes, in one kernel; differentiable in ``x`` and ``gain``.

    Args:
        x: ``(..., D)`` floating point; any strides.
        gain: ``(D,)``.
        eps: added to the mean square; unit of ``x**2``.

    Returns:
        ``(..., D)`` in the dtype of ``x``; sums are taken in at least float32.

    Raises:
        ValueError: if the widths differ, or there is neither a CUDA GPU nor Triton's interpreter.
    """
    if x.shape[-1:] != gain.shape:
        raise ValueError(f"x has width {x.shape[-1]} but gain has shape {tuple(gain.shape)}; expected ({x.shape[-1]},)")
    if not x.is_cuda and not INTERPRETED:
        raise ValueError(f"the Triton kernel needs a CUDA GPU, and x is on {x.device}: use minigpt.rms_norm")
    return RMSNormFunction.apply(x, gain.contiguous(), eps)
