r"""The formulas of the position schemes, whose modules are in :mod:`minigpt.model.positions.schemes`.

- sinusoidal: a table of sines and cosines, added to the embedding.
- learned: a row of a trained table, added to the embedding (GPT-2: Radford et al. 2019).
- rope: each pair of coordinates of queries and keys turns by an angle that grows with the position, so that a score
  depends on the offset alone. Two layouts of the pairs are in use, and weights trained with one are nonsense in the
  other: interleaved pairs, as in the paper, and pairs half a head apart, as in the Llama weights of Hugging Face.
- alibi: a score falls linearly with the distance.

Dimensions: T positions, counted from 0 in code and from 1 in the equations, D model width, H heads, E head width.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from minigpt.equations import equation
from minigpt.model.attention import key_distance
from minigpt.model.positions.scaling import ROPE_SCALINGS, UNSCALED, RopeScaling

ROPE_SOURCE = "Su et al. 2021, arXiv:2104.09864, Eq. 34"
ROPE_ANGLE = r"\phi(t, i) = (t - 1) b^{-2(i - 1)/E}"
ROPE_SYMBOLS = {
    "x": "(T, E) queries or keys",
    "x'": "(T, E) the same, turned",
    r"\phi": "function angle of pair i at position t",
    "b": "() base, 10000 in the paper",
}


@equation(
    "sinusoidal-positions",
    r"\begin{aligned} P_{t,2i-1} &= \sin(\phi(t, i)) \\ P_{t,2i} &= \cos(\phi(t, i)) \end{aligned}",
    where=[r"\phi(t, i) = \frac{t - 1}{b^{2(i - 1)/D}}"],
    symbols={
        "T": "() positions",
        "D": "() model width, even",
        "b": "() base, 10000 in the paper",
        "P": "(T, D) what is added to the embeddings",
    },
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.5",
)
def sinusoidal_positions(
    n_positions: int, width: int, base: float = 10000.0, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """The table of sines and cosines.

    Args:
        n_positions: T.
        width: D, even.
        base: the longest wavelength is 2π × base positions.
        dtype: of the table and of the angles.

    Returns:
        ``(T, D)``.

    Raises:
        ValueError: if ``width`` is odd.
    """
    angles = rotary_angles(n_positions, width, base, dtype=dtype)
    return rearrange([angles.sin(), angles.cos()], "two t i -> t (i two)")


@equation(
    "rotary-angles",
    r"\phi_{ti} = (t - 1) b^{-2(i - 1)/E}",
    symbols={
        "T": "() positions",
        "E": "() head width, even",
        "b": "() base, 10000 in the paper",
        r"\phi": "(T, E/2) angle of each pair at each position, in radians",
    },
    source=ROPE_SOURCE,
)
def rotary_angles(
    n_positions: int,
    width: int,
    base: float = 10000.0,
    *,
    scaling: RopeScaling = UNSCALED,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """By how much each pair of coordinates turns at each position.

    Args:
        n_positions: T.
        width: E, even.
        base: the longest wavelength is 2π × base positions.
        scaling: how the frequencies are changed; the equation has them unchanged.
        device: where the table is made.
        dtype: of the table.

    Returns:
        ``(T, E/2)`` in radians.

    Raises:
        ValueError: if ``width`` is odd.
    """
    if width % 2:
        raise ValueError(f"width={width} must be even: a position is encoded in pairs of coordinates; try {width + 1}")
    frequencies = base ** -(torch.arange(0, width, 2, device=device, dtype=dtype) / width)
    frequencies = ROPE_SCALINGS[scaling.kind](frequencies, base, scaling)
    return torch.arange(n_positions, device=device, dtype=dtype)[:, None] * frequencies


class Rotation(NamedTuple):
    """What turns queries and keys.

    Attributes:
        cos: ``(T, E/2)`` cosines of every position.
        sin: ``(T, E/2)`` sines.
        layout: how the pairs are arranged in a head: "interleaved" or "half".
    """

    cos: Tensor
    sin: Tensor
    layout: str


@equation(
    "rotary-interleaved",
    r"""\begin{aligned}
    x'_{t,2i-1} &= x_{t,2i-1} \cos(\phi(t, i)) - x_{t,2i} \sin(\phi(t, i)) \\
    x'_{t,2i} &= x_{t,2i-1} \sin(\phi(t, i)) + x_{t,2i} \cos(\phi(t, i)) \end{aligned}""",
    where=[ROPE_ANGLE],
    symbols=ROPE_SYMBOLS,
    source=ROPE_SOURCE,
)
def rotate_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i+1) of ``x (..., T, E)`` by the angles whose cosines and sines are ``(T, E/2)``."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@equation(
    "rotary-half",
    r"""x'_{ti} = \begin{cases}
    x_{ti} \cos(\phi(t, i)) - x_{t,i+E/2} \sin(\phi(t, i)) & \text{if } i \le E/2 \\
    x_{t,i-E/2} \sin(\phi(t, i - E/2)) + x_{ti} \cos(\phi(t, i - E/2)) & \text{otherwise} \end{cases}""",
    where=[ROPE_ANGLE],
    symbols=ROPE_SYMBOLS,
    source=ROPE_SOURCE + "; pairs half a head apart as in the Llama weights of Hugging Face",
)
def rotate_half(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i+E/2) of ``x (..., T, E)`` by the angles whose cosines and sines are ``(T, E/2)``."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


ROTARY_LAYOUTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "interleaved": rotate_interleaved,
    "half": rotate_half,
}


def rotary(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotary positions: each pair of coordinates turns by its angle at the position.

    Args:
        x: ``(..., T, E)`` queries or keys.
        rotation: the angles' cosines and sines for these T positions, and the layout of the pairs.

    Returns:
        ``(..., T, E)`` in the dtype of ``x``; the length of every pair is unchanged.
    """
    rotate = ROTARY_LAYOUTS[rotation.layout]
    return rotate(x, rotation.cos.to(x.dtype), rotation.sin.to(x.dtype))


@equation(
    "alibi-slopes",
    r"m_h = 2^{-8h/H}",
    symbols={"H": "() heads", "m": "(H) slope of each head"},
    source="Press, Smith & Lewis 2022, arXiv:2108.12409, section 3",
)
def alibi_slopes(n_heads: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """One slope a head, a geometric sequence.

    Departure: the authors' code draws the slopes for an H that is not a power of two from two power-of-two sequences;
    the geometric sequence of the paper is used here for every H.

    Args:
        n_heads: H.
        dtype: of the slopes.

    Returns:
        ``(H,)`` in ``dtype``.
    """
    return 2.0 ** (-8.0 * torch.arange(1, n_heads + 1, dtype=dtype) / n_heads)


@equation(
    "alibi-bias",
    r"b_{hts} = -m_h (t + S - T - s)",
    symbols={
        "m": "(H) slopes",
        "T": "() queries, the last T of the S positions",
        "S": "() keys",
        "b": "(H, T, S) what is added to the scores",
    },
    source="Press, Smith & Lewis 2022, arXiv:2108.12409, section 3",
)
def alibi_bias(slopes: Tensor, n_queries: int, n_keys: int) -> Tensor:
    r"""The ALiBi penalty: a score falls with the distance of the key.

    Args:
        slopes: ``(H,)``, $m_h > 0$.
        n_queries: T; the queries are the last T of the S positions.
        n_keys: S.

    Returns:
        ``(H, T, S)`` in the dtype of ``slopes``; entries for future keys are positive and meant to be masked.
    """
    distance = key_distance(n_queries, n_keys, device=slopes.device).to(slopes.dtype)
    return -rearrange(slopes, "h -> h 1 1") * distance
