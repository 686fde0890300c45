r"""Fused attention as PyTorch sees it: one function, and the two operators below it with their shapes and gradient.

``fused_attention`` gives what ``minigpt.masked_attention`` gives, and the log-sum-exp of each row beside it,
without a T × S matrix in memory. It works with autograd, ``torch.compile`` and ``torch.export`` of whole models,
activation checkpointing, FSDP, autocast, ``torch.vmap`` and the FLOP counter. Derivatives are first ones in reverse
mode: a second one, forward mode and ``torch.func.grad`` are errors; the formula has them all.

Dimensions: B batch, H query heads, G key/value heads, T queries, S keys, E head width.
"""

import math
from typing import Any

import torch
import triton
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from .derivatives import refuse_forward_mode, refuse_second_derivative
from .flash_forward import forward_kernel
from .launches import block_e, launch_forward, launch_keys_values, launch_normaliser, launch_queries
from .tile_sizes import FORWARD, KEYS_VALUES, QUERIES, Tiles, tiles_for

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LARGEST_WIDTH = 256
INTERPRETED = not isinstance(forward_kernel, triton.JITFunction)  # TRITON_INTERPRET=1: the kernels run on the CPU


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, *, causal: bool = True, window: int | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    r"""Attention and its log-sum-exp, both differentiable.

    Args:
        q: ``(B, H, T, E)`` queries, E ≤ 256: float16, bfloat16 or float32 (float64 for checks); any strides.
        k: ``(B, G, S, E)`` keys, H a multiple of G; query head h reads key/value head $\lfloor hG/H \rfloor$.
        v: ``(B, G, S, E)`` values.
        causal: whether a query sees only its own and earlier positions. The queries are the last T of the S positions
            (bottom-right alignment).
        window: a query sees itself and the ``window - 1`` positions before it; ``None``: the whole past.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$, and 1 gives the seed's formula.

    Returns:
        The output ``(B, H, T, E)`` in the dtype of ``q``, and $\log \sum_s e^{z_{ts}}$, ``(B, H, T)`` in nats, in at
        least float32. A query that sees nothing (T > S) gets zeros and $-\infty$.

    Raises:
        ValueError: if shapes, dtypes, devices or the window do not fit, or a derivative in forward mode is asked for.
    """
    refuse_forward_mode("fused attention", "attention='formula'", q, k, v)
    q, k, v = autocast(q, k, v)
    _check_tensors(q, k, v)
    if window is not None and (not causal or window < 1):
        raise ValueError(f"window={window} with causal={causal}; expected causal=True and a window of at least 1")
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
    return flash_forward(q, k, v, causal, 0 if window is None else window, scale)


@torch.library.custom_op("minigpt::flash_forward", mutates_args=())
def flash_forward(q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int, scale: float) -> tuple[Tensor, Tensor]:
    """The forward kernel: output and log-sum-exp; ``window`` 0 is none."""
    o, lse = _heads_like(q), _rows_like(q)
    launch_forward(_tiles(FORWARD, q), q, k, v, o, lse, causal, window, scale)
    return o, lse


@torch.library.custom_op("minigpt::flash_backward", mutates_args=())
def flash_backward(
    do: Tensor, dlse: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor,
    causal: bool, window: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The three kernels of the backward pass: the gradients of q, k and v."""
    dq, dk, dv, d = _heads_like(q), _heads_like(k), _heads_like(v), _rows_like(q)
    tiles = _tiles(QUERIES, q)
    launch_normaliser(tiles, o, do, lse, dlse, d)
    launch_queries(tiles, q, k, v, do, lse, d, dq, causal, window, scale)
    launch_keys_values(_tiles(KEYS_VALUES, q), q, k, v, do, lse, d, dk, dv, causal, window, scale)
    return dq, dk, dv


@flash_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int, scale: float) -> tuple[Tensor, Tensor]:
    return _heads_like(q), _rows_like(q)


@flash_backward.register_fake
def _(do, dlse, q, k, v, o, lse, causal, window, scale):  # type: ignore[no-untyped-def]
    return _heads_like(q), _heads_like(k), _heads_like(v)


def _save(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    q, k, v, *ctx.settings = inputs
    ctx.save_for_backward(q, k, v, *output)


def _backward(ctx: Any, do: Tensor, dlse: Tensor) -> tuple[Tensor | None, ...]:
    refuse_second_derivative("fused attention", "attention='formula'")
    return *flash_backward(do, dlse, *ctx.saved_tensors, *ctx.settings), None, None, None


flash_forward.register_autograd(_backward, setup_context=_save)


@register_flop_formula(torch.ops.minigpt.flash_forward)
def forward_flops(q: tuple, k: tuple, v: tuple, causal: bool, window: int, scale: float, **_: Any) -> int:
    """Two products of E numbers for each pair of positions that see each other, 2 operations a number."""
    batch, n_heads, n_queries, width = q
    return 4 * batch * n_heads * width * visible_pairs(n_queries, k[2], causal, window)


@register_flop_formula(torch.ops.minigpt.flash_backward)
def backward_flops(
    do: tuple, dlse: tuple, q: tuple, k: tuple, v: tuple, o: tuple, lse: tuple,
    causal: bool, window: int, scale: float, **_: Any,
) -> int:  # fmt: skip
    """Five products where the forward pass has two: S again, dP, dV, dK and dQ."""
    return 5 * forward_flops(q, k, v, causal, window, scale) // 2


def visible_pairs(n_queries: int, n_keys: int, causal: bool, window: int) -> int:
    """How many (query, key) pairs attention looks at; ``window`` 0 is none."""
    if not causal:
        return n_queries * n_keys
    seen = (max(0, t + 1 + n_keys - n_queries) for t in range(n_queries))
    return sum(min(n, window or n) for n in seen)


def _tiles(kernel: str, q: Tensor) -> Tiles:
    return tiles_for(kernel, q.device, q.dtype, block_e(q))


def _heads_like(x: Tensor) -> Tensor:
    """``(B, H, T, E)``, laid out ``(B, T, H, E)``: the heads of a position side by side, as the model merges them."""
    batch, heads, rows, width = x.shape
    return x.new_empty(batch, rows, heads, width).transpose(1, 2)


def _rows_like(x: Tensor) -> Tensor:
    """``(B, H, T)`` in the dtype of sums."""
    return x.new_empty(x.shape[:3], dtype=torch.promote_types(x.dtype, torch.float32))


def autocast(*tensors: Tensor) -> list[Tensor]:
    """The tensors as an enabled autocast wants them."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return list(tensors)
    return [x.to(torch.get_autocast_dtype(kind)) for x in tensors]


def _check_tensors(q: Tensor, k: Tensor, v: Tensor) -> None:
    shapes = f"q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}"
    if not (q.dim() == k.dim() == 4 and k.shape == v.shape and q.shape[0] == k.shape[0] and q.shape[3] == k.shape[3]):
        raise ValueError(f"got {shapes}; expected q (B, H, T, E), k and v (B, G, S, E)")
    if not k.shape[1] or q.shape[1] % k.shape[1]:
        raise ValueError(f"got {shapes}; expected a number of query heads that is a multiple of the key/value heads")
    if not 1 <= q.shape[3] <= LARGEST_WIDTH:
        raise ValueError(f"head width {q.shape[3]}; the kernel takes 1 to {LARGEST_WIDTH}: use attention='sdpa'")
    if q.dtype not in DTYPES or {k.dtype, v.dtype} != {q.dtype}:
        raise ValueError(
            f"got q {q.dtype}, k {k.dtype}, v {v.dtype}; expected one dtype for all of {', '.join(map(str, DTYPES))}"
        )
    if not {q.device} == {k.device} == {v.device}:
        raise ValueError(f"got q on {q.device}, k on {k.device}, v on {v.device}; move them to one device")
    if not q.is_cuda and not INTERPRETED:
        raise ValueError(f"the Triton kernel needs a CUDA GPU, and q is on {q.device}: use attention='sdpa'")
