"""What the attention kernels share: which program works on what, which tiles are seen, and how a tile is loaded.

A tile is BLOCK_T queries by BLOCK_S keys. With causal attention the queries are the *last* T of the S positions
(bottom-right alignment): query t stands at position t + S - T and sees the keys 0 … t + S - T, of which a window keeps
the last ``window``. For T > S the first T - S queries see nothing.

Tiles that every one of their queries sees whole need no mask and get a loop of their own; only the tiles on the edges
(the diagonal, the window's far end, the ragged ends of T and S) pay for comparisons.

Dimensions: B batch, H query heads, G key/value heads, T queries, S keys, E head width.
"""

import triton
import triton.language as tl

WHOLE = tl.constexpr(1)  # the middle of the three parts of a range: tiles that need no mask


@triton.jit
def place(n_blocks, n_heads):
    """``(block, batch, head)`` of this program: blocks run fastest, so that neighbours share keys in cache."""
    program = tl.program_id(0)
    # Causal work grows with the block: the longest first, so that no long one is left for the end.
    block = n_blocks - 1 - program % n_blocks
    head = program // n_blocks % n_heads
    batch = program // n_blocks // n_heads
    return block, batch.to(tl.int64), head.to(tl.int64)  # an offset may pass 2**31


@triton.jit
def first_tile(base, batch, head, strides, BLOCK: tl.constexpr, BLOCK_E: tl.constexpr):
    """``(BLOCK, BLOCK_E)`` pointers to the first rows of one head; strides as ``Tensor.stride()`` gives them."""
    rows, columns = tl.arange(0, BLOCK).to(tl.int64), tl.arange(0, BLOCK_E).to(tl.int64)
    return base + batch * strides[0] + head * strides[1] + rows[:, None] * strides[2] + columns[None, :] * strides[3]


@triton.jit
def load_tile(tile, first_row, n_rows, strides, E: tl.constexpr, CHECK_ROWS: tl.constexpr):
    """The numbers of the tile that begins at ``first_row``, 0 outside of the matrix: what lies there is not ours."""
    at = tile + tl.cast(first_row, tl.int64) * strides[2]
    if CHECK_ROWS or tile.shape[1] > E:
        return tl.load(at, mask=inside(tile, first_row, n_rows, E, CHECK_ROWS), other=0.0)
    else:
        return tl.load(at)


@triton.jit
def store_tile(tile, first_row, n_rows, strides, E: tl.constexpr, x):
    """Write the part of ``x`` that lies in the matrix, in the dtype of the matrix."""
    at = tile + tl.cast(first_row, tl.int64) * strides[2]
    tl.store(at, x.to(tile.dtype.element_ty), mask=inside(tile, first_row, n_rows, E, True))


@triton.jit
def inside(tile, first_row, n_rows, E: tl.constexpr, CHECK_ROWS: tl.constexpr):
    """True where a tile lies in the matrix; a head's width is padded to a power of 2, and the last tile hangs over."""
    mask = (tl.arange(0, tile.shape[1]) < E)[None, :]
    if CHECK_ROWS:
        mask = mask & (first_row + tl.arange(0, tile.shape[0]) < n_rows)[:, None]
    return mask


@triton.jit
def visible(queries, keys, T, S, window, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr):
    """True where a key exists and the query may attend to it; ``queries`` and ``keys`` broadcast against each other."""
    seen = keys < S
    if CAUSAL:
        distance = queries + (S - T) - keys
        seen = seen & (distance >= 0)
        if WINDOWED:
            seen = seen & (distance < window)
    return seen


@triton.jit
def key_range(first_query, T, S, window, BLOCK_T, BLOCK_S, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr):
    """The keys of a block of queries: ``(start, whole_from, whole_to, stop)``.

    Tiles from ``whole_from`` to ``whole_to`` are seen whole, those before and after in part; all others not at all.
    """
    start, whole_from, whole_to, stop = 0, 0, S // BLOCK_S * BLOCK_S, S
    if CAUSAL:
        lowest = first_query + S - T  # position of the first query
        highest = tl.minimum(first_query + BLOCK_T, T) - 1 + S - T
        stop = tl.maximum(highest + 1, 0)
        whole_to = tl.maximum(lowest + 1, 0) // BLOCK_S * BLOCK_S
        if WINDOWED:
            start = tl.maximum(lowest - window + 1, 0) // BLOCK_S * BLOCK_S
            whole_from = tl.cdiv(tl.maximum(highest - window + 1, 0), BLOCK_S) * BLOCK_S
            whole_to = tl.maximum(whole_from, whole_to)
    return start, whole_from, whole_to, stop


@triton.jit
def query_range(first_key, T, S, window, BLOCK_T, BLOCK_S, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr):
    """The queries of a block of keys, as :func:`key_range`."""
    start, whole_from, whole_to, stop = 0, 0, T // BLOCK_T * BLOCK_T, T
    if CAUSAL:
        lowest = first_key + T - S  # the query that stands at the first key
        highest = tl.minimum(first_key + BLOCK_S, S) - 1 + T - S
        start = tl.maximum(lowest, 0) // BLOCK_T * BLOCK_T
        whole_from = tl.cdiv(tl.maximum(highest, 0), BLOCK_T) * BLOCK_T
        if WINDOWED:
            stop = tl.maximum(tl.minimum(highest + window, T), 0)
            whole_to = tl.maximum(tl.minimum(lowest + window, T), 0) // BLOCK_T * BLOCK_T
        whole_to = tl.maximum(whole_from, whole_to)
    return start, whole_from, whole_to, stop
