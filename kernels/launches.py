"""How the attention kernels are launched: with given tiles, into tensors that are there.

Each function writes its last tensors and is one kernel, so that a kernel can be timed alone. ``window`` 0 is none.

Dimensions: B batch, H query heads, G key/value heads, T queries, S keys, E head width; q, do, o, dq ``(B, H, T, E)``,
k, v, dk, dv ``(B, G, S, E)``, lse, dlse, d ``(B, H, T)``.
"""

import math
from typing import Any

import torch
import triton
from torch import Tensor

from .flash_backward import keys_values_kernel, normaliser_kernel, queries_kernel
from .flash_forward import forward_kernel
from .tile_sizes import Tiles

LOG2_E = math.log2(math.e)


def launch_forward(
    tiles: Tiles, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, causal: bool, window: int, scale: float
) -> None:
    """Write the output ``o`` and its log-sum-exp."""
    sizes = (q.shape[1], q.shape[2], k.shape[2], window, scale * LOG2_E)
    with torch.cuda.device_of(q):
        forward_kernel[_grid(q, tiles.block_t)](
            *(q, k, v, o, lse), *_strides(q, k, v, o), *sizes, **_settings(tiles, q, k, causal, window)
        )  # fmt: skip


def launch_normaliser(tiles: Tiles, o: Tensor, do: Tensor, lse: Tensor, dlse: Tensor, d: Tensor) -> None:
    """Write ``d``, which the other two kernels of the backward pass read."""
    rows = {"E": o.shape[-1], "BLOCK_T": tiles.block_t, "BLOCK_E": block_e(o), "enable_fp_fusion": True}
    with torch.cuda.device_of(o):
        normaliser_kernel[_grid(o, tiles.block_t)](
            *(o, do, lse, dlse, d), *_strides(o, do, dlse), o.shape[1], o.shape[2], **rows
        )  # fmt: skip


def launch_queries(
    tiles: Tiles, q: Tensor, k: Tensor, v: Tensor, do: Tensor, lse: Tensor, d: Tensor, dq: Tensor,
    causal: bool, window: int, scale: float,
) -> None:  # fmt: skip
    """Write the gradient of the queries."""
    sizes = (q.shape[1], q.shape[2], k.shape[2], window, scale, scale * LOG2_E)
    with torch.cuda.device_of(q):
        queries_kernel[_grid(q, tiles.block_t)](
            *(q, k, v, do, lse, d, dq), *_strides(q, k, v, do, dq), *sizes, **_settings(tiles, q, k, causal, window)
        )  # fmt: skip


def launch_keys_values(
    tiles: Tiles, q: Tensor, k: Tensor, v: Tensor, do: Tensor, lse: Tensor, d: Tensor, dk: Tensor, dv: Tensor,
    causal: bool, window: int, scale: float,
) -> None:  # fmt: skip
    """Write the gradients of keys and values."""
    tensors, sizes = (q, k, v, do, lse, d, dk, dv), (k.shape[1], q.shape[2], k.shape[2], window, scale, scale * LOG2_E)
    with torch.cuda.device_of(q):
        keys_values_kernel[_grid(k, tiles.block_s)](
            *tensors, *_strides(q, k, v, do, dk, dv), *sizes, **_settings(tiles, q, k, causal, window)
        )  # fmt: skip


def block_e(x: Tensor) -> int:
    """The head width rounded up to a power of 2, at least the 16 that a product takes."""
    return max(16, triton.next_power_of_2(x.shape[-1]))


def _settings(tiles: Tiles, q: Tensor, k: Tensor, causal: bool, window: int) -> dict[str, Any]:
    """All that is known when a kernel is compiled."""
    return {
        "GROUP": q.shape[1] // k.shape[1],
        "E": q.shape[-1],
        "CAUSAL": causal,
        "WINDOWED": 0 < window < k.shape[2],  # a wider one is the whole past
        "BLOCK_T": tiles.block_t,
        "BLOCK_S": tiles.block_s,
        "BLOCK_E": block_e(q),
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
