r"""Where a token stands: five ways to tell the model, and none.

- none: causal attention alone lets a model count positions, weakly.
- sinusoidal: $P_{t,2i} = \sin(\omega_i t)$, $P_{t,2i+1} = \cos(\omega_i t)$, $\omega_i = 10000^{-2i/D}$, added to the
  embedding (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).
- learned: a row of a trained table, added to the embedding (GPT-2: Radford et al. 2019).
- rope: each pair of coordinates of queries and keys turns by the angle $\omega_i t$, so that a score depends on the
  offset alone (Su et al. 2021, arXiv:2104.09864, Eq. 34). Two layouts of the pairs are in use, and weights trained
  with one are nonsense in the other: interleaved pairs $(2i, 2i+1)$, as in the paper, and half-split pairs
  $(i, i+E/2)$, as in the Llama weights of Hugging Face.
- alibi: a score falls linearly with the distance (Press, Smith & Lewis 2022, arXiv:2108.12409).

Dimensions: T positions counted from 0, D model width, H heads, E head width.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn


def sinusoidal_positions(n_positions: int, width: int, base: float = 10000.0) -> Tensor:
    """The table of sines and cosines.

    Args:
        n_positions: T.
        width: D, even.
        base: the longest wavelength is 2π × base positions.

    Returns:
        ``(T, D)`` float32.

    Raises:
        ValueError: if ``width`` is odd.
    """
    angles = rotary_angles(n_positions, width, base)
    return rearrange([angles.sin(), angles.cos()], "two t i -> t (i two)")


def rotary_angles(
    n_positions: int, width: int, base: float = 10000.0, *, device: torch.device | str | None = None
) -> Tensor:
    r"""The angles $\omega_i t$ with $\omega_i = \mathrm{base}^{-2i/E}$.

    Args:
        n_positions: T.
        width: E, even.
        base: the longest wavelength is 2π × base positions.
        device: where the table is made.

    Returns:
        ``(T, E/2)`` float32, in radians.

    Raises:
        ValueError: if ``width`` is odd.
    """
    if width % 2:
        raise ValueError(f"width={width} must be even: positions are told by pairs of coordinates; try {width + 1}")
    frequencies = base ** -(torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    return torch.arange(n_positions, device=device, dtype=torch.float32)[:, None] * frequencies


class Rotation(NamedTuple):
    """Cosines and sines ``(T, E/2)`` of every position, and how the pairs lie in a head."""

    cos: Tensor
    sin: Tensor
    layout: str


def rotate_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i+1) of ``x (..., T, E)`` by the angles whose cosines and sines are ``(T, E/2)``."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


def rotate_half(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i+E/2) of ``x (..., T, E)`` by the angles whose cosines and sines are ``(T, E/2)``."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


ROTARY_LAYOUTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "interleaved": rotate_interleaved,
    "half": rotate_half,
}


def rotary(x: Tensor, rotation: Rotation) -> Tensor:
    r"""Rotary positions: each pair of coordinates of position t turns by $\omega_i t$.

    Args:
        x: ``(..., T, E)`` queries or keys.
        rotation: the angles' cosines and sines for these T positions, and the layout of the pairs.

    Returns:
        ``(..., T, E)`` in the dtype of ``x``; the length of every pair is unchanged.
    """
    rotate = ROTARY_LAYOUTS[rotation.layout]
    return rotate(x, rotation.cos.to(x.dtype), rotation.sin.to(x.dtype))


def alibi_slopes(n_heads: int) -> Tensor:
    r"""One slope a head: $m_h = 2^{-8h/H}$ for $h = 1 … H$.

    Departure: the authors' code draws the slopes for an H that is no power of two from two power-of-two sequences; the
    geometric sequence of the paper is used here for every H.

    Returns:
        ``(H,)`` float32.

    Source: Press, Smith & Lewis 2022, arXiv:2108.12409, section 3.
    """
    return 2.0 ** (-8.0 * torch.arange(1, n_heads + 1) / n_heads)


class Position(nn.Module):
    """No position information; the other schemes override one of the three methods."""

    def __init__(self, context_length: int, d_model: int, n_heads: int, base: float = 10000.0) -> None:
        super().__init__()
        self.context_length, self.d_model, self.n_heads, self.base = context_length, d_model, n_heads, base

    def add_to(self, x: Tensor) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``: what is added to the token embeddings."""
        return x

    def rotation(self, n_positions: int, device: torch.device) -> Rotation | None:
        """How queries and keys turn."""
        return None

    def slopes(self, device: torch.device) -> Tensor | None:
        """``(H,)``: how fast the scores fall with the distance."""
        return None


class SinusoidalPosition(Position):
    """Adds :func:`sinusoidal_positions` to the token embeddings."""

    def add_to(self, x: Tensor) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``."""
        return x + sinusoidal_positions(x.shape[1], self.d_model, self.base).to(x)


class LearnedPosition(Position):
    """Adds a trained row for each position to the token embeddings."""

    def __init__(self, context_length: int, d_model: int, n_heads: int, base: float = 10000.0) -> None:
        super().__init__(context_length, d_model, n_heads, base)
        self.embedding = nn.Embedding(context_length, d_model)

    def add_to(self, x: Tensor) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``."""
        return x + self.embedding.weight[: x.shape[1]]


class RotaryPosition(Position):
    """Turns queries and keys; pairs are interleaved, as in the paper."""

    layout = "interleaved"

    def rotation(self, n_positions: int, device: torch.device) -> Rotation:
        """Cosines and sines ``(T, E/2)``, in float32 whatever the model's dtype: angles grow to T radians."""
        angles = rotary_angles(n_positions, self.d_model // self.n_heads, self.base, device=device)
        return Rotation(angles.cos(), angles.sin(), self.layout)


class HalfRotaryPosition(RotaryPosition):
    """Turns queries and keys; pairs are half a head apart, as in Llama weights."""

    layout = "half"


class ALiBiPosition(Position):
    """Lets the scores fall linearly with the distance."""

    def slopes(self, device: torch.device) -> Tensor:
        """``(H,)`` float32."""
        return alibi_slopes(self.n_heads).to(device)


POSITIONS: dict[str, type[Position]] = {
    "none": Position,
    "sinusoidal": SinusoidalPosition,
    "learned": LearnedPosition,
    "rope-interleaved": RotaryPosition,
    "rope-half": HalfRotaryPosition,
    "alibi": ALiBiPosition,
}
