r"""The problems that attention is timed on, with the operations and bytes that each needs.

A pair of positions that see each other counts $4 E$ operations a head forward – two products – and $10 E$ backward,
where fused kernels compute the scores again; the formula, which has kept its weights, is credited the same.

Dimensions: B batch, H heads, T positions, E head width.
Source: the shapes, 16,384 tokens of width 2048: Dao 2023 (FlashAttention-2), arXiv:2307.08691, section 4.1.
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor


@dataclass(frozen=True)
class Setting:
    """One problem: B sequences of T positions, H heads of width E."""

    n_positions: int
    head_width: int
    causal: bool
    dtype: torch.dtype
    batch_size: int
    n_heads: int

    def __str__(self) -> str:
        mask = "causal" if self.causal else "full"
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.n_positions:>6}{self.head_width:>5}  {mask:8}{dtype:10}"

    @property
    def flops(self) -> tuple[int, int]:
        """Operations forward and backward: 2 products of E for each pair of positions, then 5."""
        t = self.n_positions
        pairs = t * (t + 1) // 2 if self.causal else t * t
        a_product = 2 * self.batch_size * self.n_heads * pairs * self.head_width
        return 2 * a_product, 5 * a_product

    @property
    def n_bytes(self) -> tuple[int, int]:
        """The least that is moved: q, k, v in and o out; then o and its gradient in besides, three gradients out."""
        tensor = self.batch_size * self.n_heads * self.n_positions * self.head_width * self.dtype.itemsize
        return 4 * tensor, 8 * tensor

    @property
    def weight_bytes(self) -> int:
        """Of the T × T weights of every head, which the formula keeps in memory."""
        return self.batch_size * self.n_heads * self.n_positions**2 * self.dtype.itemsize

    def draw(self, device: torch.device) -> list[Tensor]:
        """q, k, v and the output's gradient, ``(B, H, T, E)``."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch_size, self.n_heads, self.n_positions, self.head_width)
        drawn = [torch.randn(shape, generator=generator).to(device, self.dtype) for _ in range(4)]
        return [x.requires_grad_() for x in drawn[:3]] + drawn[3:]


def settings(device: torch.device, lengths: tuple[int, ...] = ()) -> list[Setting]:
    """What is measured on a kind of device: 16,384 tokens of width 2048 on a GPU, 1024 of width 256 on a CPU."""
    gpu = device.type == "cuda"
    lengths = lengths or ((1024, 2048, 4096, 8192, 16384) if gpu else (128, 256, 512, 1024))
    dtypes = (torch.float16, torch.bfloat16) if gpu else (torch.float32,)
    tokens, width = (16384, 2048) if gpu else (1024, 256)
    grid = product(dtypes, (64, 128) if gpu else (64,), (False, True), lengths)
    return [Setting(t, e, causal, dtype, max(1, tokens // t), width // e) for dtype, e, causal, t in grid]
