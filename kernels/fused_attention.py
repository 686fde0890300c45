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
from torch.autograd import forward_ad
from torch.utils.flop_counter import register_flop_formula

from .flash_backward import keys_values_kernel, normaliser_kernel, queries_kernel
from .flash_forward import forward_kernel
from .tile_sizes import FORWARD, KEYS_VALUES, QUERIES, Tiles, tiles_for

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LARGEST_WIDTH = 256
LOG2_E = math.log2(math.e)
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
    _refuse_forward_mode("fused attention", "attention='formula'", q, k, v)
    q, k, v = _autocast(q, k, v)
    _check_tensors(q, k, v)
    if window is not None and (not causal or window < 1):
        raise ValueError(f"window={window} with causal={causal}; expected causal=True and a window of at least 1")
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
    return flash_forward(q, k, v, causal, 0 if window is None else window, scale)


@torch.library.custom_op("minigpt::flash_forward", mutates_args=())
def flash_forward(q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int, scale: float) -> tuple[Tensor, Tensor]:
    """The forward kernel: output and log-sum-exp; ``window`` 0 is none."""
    o, lse = _heads_like(q), _rows_like(q)
    tiles, settings = _settings(FORWARD, q, k, causal, window)
    sizes = (q.shape[1], q.shape[2], k.shape[2], window, scale * LOG2_E)
    with torch.cuda.device_of(q):
        forward_kernel[_grid(q, tiles.block_t)](
            *(q, k, v, o, lse), *_strides(q, k, v, o), *sizes, **settings
        )  # fmt: skip
    return o, lse


@torch.library.custom_op("minigpt::flash_backward", mutates_args=())
def flash_backward(
    do: Tensor, dlse: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor,
    causal: bool, window: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The three kernels of the backward pass: the gradients of q, k and v."""
    dq, dk, dv, d = _heads_like(q), _heads_like(k), _heads_like(v), _rows_like(q)
    (_, n_heads, n_queries, _), (_, n_groups, n_keys, _) = q.shape, k.shape
    sizes = (n_queries, n_keys, window, scale, scale * LOG2_E)
    with torch.cuda.device_of(q):
        tiles, settings = _settings(QUERIES, q, k, causal, window)
        rows = {name: settings[name] for name in ("E", "BLOCK_T", "BLOCK_E", "enable_fp_fusion")}
        normaliser_kernel[_grid(q, tiles.block_t)](
            *(o, do, lse, dlse, d), *_strides(o, do, dlse), n_heads, n_queries, **rows
        )  # fmt: skip
        queries_kernel[_grid(q, tiles.block_t)](
            *(q, k, v, do, lse, d, dq), *_strides(q, k, v, do, dq), n_heads, *sizes, **settings
        )  # fmt: skip
        tiles, settings = _settings(KEYS_VALUES, q, k, causal, window)
        keys_values_kernel[_grid(k, tiles.block_s)](
            *(q, k, v, do, lse, d, dk, dv), *_strides(q, k, v, do, dk, dv), n_groups, *sizes, **settings
        )  # fmt: skip
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


def _settings(direction: str, q: Tensor, k: Tensor, causal: bool, window: int) -> tuple[Tiles, dict[str, Any]]:
    """The tiles of a kernel, and all that is known when it is compiled."""
    width = q.shape[-1]
    block_e = max(16, triton.next_power_of_2(width))
    tiles = tiles_for(direction, q.device, q.dtype, block_e)
    return tiles, {
        "GROUP": q.shape[1] // k.shape[1],
        "E": width,
        "CAUSAL": causal,
        "WINDOWED": 0 < window < k.shape[2],  # a wider one is the whole past
        "BLOCK_T": tiles.block_t,
        "BLOCK_S": tiles.block_s,
        "BLOCK_E": block_e,
        "num_warps": tiles.n_warps,
        "num_stages": tiles.n_stages,
        "enable_fp_fusion": True,  # z · scale - m is one instruction; from Triton 3.10 on not unless asked for
    }


def _grid(x: Tensor, block: int) -> tuple[int]:
    """One program for each block of rows of each head."""
    batch, heads, rows, _ = x.shape
    return (batch * heads * triton.cdiv(rows, block),)


def _strides(*tensors: Tensor) -> list[tuple[int, ...]]:
    return [x.stride() for x in tensors]


def _heads_like(x: Tensor) -> Tensor:
    """``(B, H, T, E)``, laid out ``(B, T, H, E)``: the heads of a position side by side, as the model merges them."""
    batch, heads, rows, width = x.shape
    return x.new_empty(batch, rows, heads, width).transpose(1, 2)


def _rows_like(x: Tensor) -> Tensor:
    """``(B, H, T)`` in the dtype of sums."""
    return x.new_empty(x.shape[:3], dtype=torch.promote_types(x.dtype, torch.float32))


def _autocast(*tensors: Tensor) -> list[Tensor]:
    """The tensors as an enabled autocast wants them."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return list(tensors)
    return [x.to(torch.get_autocast_dtype(kind)) for x in tensors]


def _refuse_forward_mode(name: str, instead: str, *tensors: Tensor) -> None:
    # The operator would let the tangent drop, and the derivative would be 0.
    if any(forward_ad.unpack_dual(x).tangent is not None for x in tensors):
        raise ValueError(
            f"{name} has no derivative in forward mode (torch.func.jvp): use {instead}, or reverse mode (backward)"
        )


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
