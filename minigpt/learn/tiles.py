r"""Attention one tile at a time, as a fused kernel runs it, with everything in view.

``minigpt.kernels`` computes this on a GPU, where nothing can be watched. Here a tile is a plain PyTorch statement or
two, and every tile leaves a record: the running maximum, sum and output after it, and the numbers that it moved
between the large slow memory (HBM) and the small fast one beside the processor.

The point of the exercise: a softmax seems to need the whole row of scores before its first output, and it does not.
The T × S scores never exist, so they are never moved.

Dimensions: T queries, S keys, E head width; one head of one sequence.
Source: Dao et al. 2022 (FlashAttention), arXiv:2205.14135; Dao 2023 (FlashAttention-2), arXiv:2307.08691.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.learn.tile_map import Field, draw_map
from minigpt.model import causal_mask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SoftmaxState = tuple[Tensor, Tensor, Tensor]  # of a block of queries: m (T'), l (T'), o (T', E)


@dataclass(frozen=True)
class Tile:
    """What is known after a tile: one block of queries has met one more block of keys.

    Attributes:
        queries: the rows of the tile.
        keys: its columns.
        seen: ``(T', S')`` True where a query may attend to a key.
        m: ``(T',)`` the largest score so far of each query; -inf for one that has seen no key.
        l: ``(T',)`` the sum of exponentials so far, relative to m.
        o: ``(T', E)`` the running output, relative to m and not yet divided by l.
    """

    queries: slice
    keys: slice
    seen: Tensor
    m: Tensor
    l: Tensor
    o: Tensor

    @property
    def whole(self) -> bool:
        """Whether every query of the tile sees every key, so that a kernel needs no mask for it."""
        return bool(self.seen.all())


@dataclass(frozen=True)
class TiledAttention:
    """What :func:`tiled_attention` computed, and how.

    Attributes:
        output: ``(T, E)``.
        lse: ``(T,)`` the log-sum-exp of each query's scores, in nats.
        n_keys: S.
        tiles: the tiles in the order of their visits.
        skipped: how many tiles no query of theirs could see; they cost nothing.
        blocks: rows and columns of a tile.
        bytes_read: from the large memory: each block of queries once, keys and values once for each tile.
        bytes_written: to the large memory: outputs and log-sum-exps.
        formula_bytes: read and written, of the formula taken an operation at a time: scores and weights, T × S each,
            are written and read back.
    """

    output: Tensor
    lse: Tensor
    n_keys: int
    tiles: list[Tile]
    skipped: int
    blocks: tuple[int, int]
    bytes_read: int
    bytes_written: int
    formula_bytes: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """T and S."""
        return len(self.output), self.n_keys

    def plot(self) -> "Figure":
        """The tiles as a map: seen whole, seen in part, skipped.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        (rows, columns), moved = self.blocks, self.bytes_read + self.bytes_written
        title = f"tiles of {rows} × {columns}: {moved:,} bytes moved, {sum(self.formula_bytes):,} by the formula"
        fields = [Field(tile.queries, tile.keys, tile.whole) for tile in self.tiles]
        return draw_map(self.shape, fields, skipped=self.skipped, title=title)


@equation(
    "online-softmax",
    r"\begin{aligned} m_i &= \max(m_{i-1}, z_i) \\ l_i &= l_{i-1} e^{m_{i-1} - m_i} + e^{z_i - m_i} \\ "
    r"o_i &= o_{i-1} e^{m_{i-1} - m_i} + e^{z_i - m_i} v_i \end{aligned}",
    where=[r"m_0 = -\infty", r"l_0 = 0", r"o_0 = 0"],
    symbols={
        "z": "(S) scores of one query",
        "v": "(S, E) values",
        "m": "(S) largest score so far",
        "l": "(S) sum of exponentials so far",
        "o": "(S, E) running output; divided by l, the attention to the keys so far",
    },
    source="Milakov & Gimelshein 2018, arXiv:1805.02867, Algorithm 3 (m and l); the output: Dao et al. 2022, "
    "arXiv:2205.14135",
)
def online_softmax(z: Tensor, v: Tensor) -> SoftmaxState:
    """The state of one query after each key, a key at a time.

    Args:
        z: ``(S,)`` scores.
        v: ``(S, E)`` values.

    Returns:
        ``(S,)``, ``(S,)`` and ``(S, E)``: m, l and o after each key, in at least float32.
    """
    state, history = _start(1, v), []
    for i in range(len(z)):
        state = absorb(state, widened(z)[None, i : i + 1], v[i : i + 1])
        history.append(state)
    m, l, o = (torch.cat(column) for column in zip(*history, strict=True))
    return m, l, o


def absorb(state: SoftmaxState, z: Tensor, v: Tensor) -> SoftmaxState:
    """One tile more: rescale what was summed under the old maximum, then add.

    Args:
        state: m, l and o before the tile.
        z: ``(T', S')`` scores of the tile; -inf where a query may not attend.
        v: ``(S', E)`` values of the tile.

    Returns:
        m, l and o after it.
    """
    m, l, o = state
    m_new = torch.maximum(m, z.amax(1))
    # A query that has seen no key yet: -inf - (-inf) is no number, and subtracting 0 leaves its exponentials 0.
    shift = m_new.masked_fill(m_new == -math.inf, 0)
    p, shrink = torch.exp(z - shift[:, None]), torch.exp(m - shift)
    return m_new, l * shrink + p.sum(1), o * shrink[:, None] + p @ widened(v)


def tiled_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    blocks: tuple[int, int] = (16, 16),
    causal: bool = True,
    window: int | None = None,
    scale: float | None = None,
) -> TiledAttention:
    r"""Attention by tiles, every one of them on record.

    Args:
        q: ``(T, E)`` queries of one head; with ``causal`` the last T of the S positions.
        k: ``(S, E)`` keys.
        v: ``(S, E)`` values.
        blocks: queries and keys in a tile.
        causal: whether a query sees only its own and earlier positions.
        window: a query sees itself and the ``window - 1`` positions before it; ``None``: the whole past.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.

    Raises:
        ValueError: if the shapes do not fit, a block is empty, or there is a window without ``causal``.
    """
    _check(q, k, v, blocks, causal, window)
    scale = 1 / math.sqrt(q.shape[1]) if scale is None else scale
    n_queries, n_keys = len(q), len(k)
    states = {queries.start: _start(n_queries, v, queries) for queries in _cut(n_queries, blocks[0])}
    tiles: list[Tile] = []
    for queries, keys, seen in visited(n_queries, n_keys, blocks, causal, window):
        z = tile_scores(q[queries], k[keys], seen, scale)
        states[queries.start] = absorb(states[queries.start], z, v[keys])
        tiles.append(Tile(queries, keys, seen, *states[queries.start]))
    m, l, o = (torch.cat(column) for column in zip(*states.values(), strict=True))
    output, lse = (o / l.masked_fill(l == 0, 1)[:, None]).to(q.dtype), m + l.log()
    n_tiles = len(states) * len(_cut(n_keys, blocks[1]))
    read = q.nbytes + sum(k[tile.keys].nbytes + v[tile.keys].nbytes for tile in tiles)
    moved = (read, output.nbytes + lse.nbytes, _formula_bytes(q, k))
    return TiledAttention(output, lse, n_keys, tiles, n_tiles - len(tiles), blocks, *moved)


def visited(
    n_queries: int, n_keys: int, blocks: tuple[int, int], causal: bool, window: int | None
) -> Iterator[tuple[slice, slice, Tensor]]:
    """The tiles that some query of theirs can see: rows, columns and mask; all others are never loaded."""
    mask = causal_mask(n_queries, n_keys, window=window) if causal else torch.ones(n_queries, n_keys, dtype=torch.bool)
    for queries in _cut(n_queries, blocks[0]):
        for keys in _cut(n_keys, blocks[1]):
            if (seen := mask[queries, keys]).any():
                yield queries, keys, seen


def tile_scores(q: Tensor, k: Tensor, seen: Tensor, scale: float) -> Tensor:
    """``(T', S')`` scores of one tile in at least float32, -inf where ``seen`` is False."""
    return (scale * widened(q) @ widened(k).T).masked_fill(~seen, -math.inf)


def widened(x: Tensor) -> Tensor:
    """``x`` in the dtype of sums, at least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _start(n_queries: int, v: Tensor, queries: slice = slice(None)) -> SoftmaxState:
    """Before the first key: no maximum, nothing summed."""
    n, v = len(range(n_queries)[queries]), widened(v[:0])
    return v.new_full((n,), -math.inf), v.new_zeros(n), v.new_zeros(n, v.shape[1])


def _cut(n: int, block: int) -> list[slice]:
    return [slice(first, min(first + block, n)) for first in range(0, n, block)]


def _formula_bytes(q: Tensor, k: Tensor) -> tuple[int, int]:
    """Read and written by z = q kᵀ, a = softmax(z) and a v, each a pass of its own."""
    square = len(q) * len(k) * q.element_size()
    return q.nbytes + 2 * k.nbytes + 2 * square, 2 * square + q.nbytes


def _check(q: Tensor, k: Tensor, v: Tensor, blocks: tuple[int, int], causal: bool, window: int | None) -> None:
    if not (q.dim() == k.dim() == 2 and k.shape == v.shape and q.shape[1] == k.shape[1]):
        raise ValueError(
            f"got q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}; expected (T, E), (S, E) and (S, E): one "
            "head of one sequence"
        )
    if min(blocks) < 1:
        raise ValueError(f"blocks={blocks}; expected at least one query and one key in a tile")
    if window is not None and not causal:
        raise ValueError(f"window={window} with causal=False; a window looks back from a query, so leave causal=True")
