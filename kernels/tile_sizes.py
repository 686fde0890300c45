"""How large a tile is, for each kernel, kind of GPU, dtype and head width.

Every entry was compiled for its kind of GPU and keeps the loop over tiles free of register spills. Among those that do,
and that load ahead on NVIDIA's GPUs, it has a high bound on the tensor cores' work, as ``inspection`` counts it. None
has been timed, so they are where tuning starts.

Dimensions: BLOCK_T queries by BLOCK_S keys in a tile, BLOCK_E the head width rounded up to a power of 2.
"""

from typing import NamedTuple

import torch

FORWARD, QUERIES, KEYS_VALUES = "forward", "queries", "keys_values"  # the kernels with tiles; two are of the backward
PRODUCTS = {FORWARD: 2, QUERIES: 3, KEYS_VALUES: 4}  # of BLOCK_T × BLOCK_S × E, for each tile that is passed


class Tiles(NamedTuple):
    """The size of a tile and how a program works on it.

    Attributes:
        block_t: queries in a tile.
        block_s: keys in a tile.
        n_warps: groups of 32 threads (64 on AMD) in a program.
        n_stages: loads in flight, with the one in use.
    """

    block_t: int
    block_s: int
    n_warps: int
    n_stages: int


# For head widths up to 64, 128 and 256; a dtype's bytes; the row of a kind of GPU, by its name in Triton. NVIDIA's are
# NVIDIA's compute capabilities: 8.6, 8.9 and 12.0 have 99 kB of shared memory for a program, 8.0 has 163, 9.0 and 10.0
# have 227.
TABLE = {
    ("sm_80", 2): {
        FORWARD: (Tiles(128, 64, 4, 2), Tiles(128, 32, 8, 2), Tiles(64, 32, 8, 2)),
        QUERIES: (Tiles(128, 32, 4, 2), Tiles(64, 64, 4, 3), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(32, 128, 8, 2), Tiles(32, 64, 4, 2), Tiles(32, 32, 8, 1)),
    },
    ("sm_86", 2): {
        FORWARD: (Tiles(128, 64, 8, 2), Tiles(128, 32, 8, 2), Tiles(64, 32, 8, 2)),
        QUERIES: (Tiles(128, 64, 8, 2), Tiles(128, 32, 8, 2), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(32, 128, 8, 2), Tiles(64, 64, 8, 2), Tiles(32, 32, 8, 1)),
    },
    ("sm_90", 2): {
        FORWARD: (Tiles(128, 128, 8, 2), Tiles(128, 64, 8, 3), Tiles(128, 32, 8, 2)),
        QUERIES: (Tiles(64, 64, 4, 3), Tiles(128, 64, 8, 2), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(64, 128, 8, 2), Tiles(32, 128, 8, 2), Tiles(32, 32, 8, 1)),
    },
    ("sm_100", 2): {
        FORWARD: (Tiles(128, 128, 8, 2), Tiles(128, 64, 8, 3), Tiles(128, 32, 8, 2)),
        QUERIES: (Tiles(128, 128, 8, 2), Tiles(128, 64, 8, 2), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(64, 128, 8, 2), Tiles(64, 128, 8, 2), Tiles(32, 32, 8, 1)),
    },
    ("sm_120", 2): {
        FORWARD: (Tiles(128, 64, 8, 2), Tiles(128, 32, 8, 3), Tiles(64, 32, 8, 2)),
        QUERIES: (Tiles(128, 64, 8, 2), Tiles(128, 32, 8, 3), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(32, 128, 8, 3), Tiles(32, 32, 4, 2), Tiles(32, 32, 8, 1)),
    },
    ("sm_80", 4): {
        FORWARD: (Tiles(64, 32, 8, 2), Tiles(32, 32, 8, 2), Tiles(32, 16, 8, 1)),
        QUERIES: (Tiles(64, 32, 8, 1), Tiles(32, 16, 8, 1), Tiles(16, 16, 8, 1)),
        KEYS_VALUES: (Tiles(16, 32, 4, 1), Tiles(32, 16, 4, 1), Tiles(16, 16, 8, 1)),
    },
    ("gfx942", 2): {
        FORWARD: (Tiles(128, 64, 4, 1), Tiles(128, 32, 4, 1), Tiles(64, 32, 8, 1)),
        QUERIES: (Tiles(128, 32, 4, 1), Tiles(128, 32, 4, 1), Tiles(16, 16, 4, 1)),
        KEYS_VALUES: (Tiles(32, 128, 4, 1), Tiles(32, 128, 4, 1), Tiles(32, 32, 4, 1)),
    },
    ("gfx942", 4): {
        FORWARD: (Tiles(64, 32, 4, 1), Tiles(32, 32, 4, 1), Tiles(32, 16, 8, 1)),
        QUERIES: (Tiles(32, 32, 4, 1), Tiles(16, 16, 4, 1), Tiles(16, 16, 4, 1)),
        KEYS_VALUES: (Tiles(32, 32, 8, 1), Tiles(16, 16, 4, 1), Tiles(16, 16, 4, 1)),
    },
}
TABLE.setdefault(("sm_89", 2), TABLE["sm_86", 2])
for row in ("sm_86", "sm_89", "sm_90", "sm_100", "sm_120"):
    TABLE[row, 4] = TABLE["sm_80", 4]
INTERPRETED = Tiles(64, 64, 1, 1)  # on the CPU: the fewer tiles the quicker
DOUBLE = Tiles(16, 16, 4, 1)  # float64 is for checks, not for speed


def tiles_for(kernel: str, device: torch.device, dtype: torch.dtype, block_e: int) -> Tiles:
    """The tiles of ``FORWARD``, ``QUERIES`` or ``KEYS_VALUES`` on a device, for heads of width ``block_e`` ≤ 256."""
    if device.type == "cpu":
        return INTERPRETED
    if dtype == torch.float64:
        return DOUBLE
    return TABLE[row_of(device), dtype.itemsize][kernel][column_of(block_e)]


def column_of(block_e: int) -> int:
    """The place of heads of width ``block_e`` ≤ 256 in an entry of ``TABLE``."""
    return (block_e > 64) + (block_e > 128)


def candidates(kernel: str, row: str, itemsize: int, block_e: int) -> list[Tiles]:
    """The table's tiles, then those one step from them: what is worth timing on the GPU of a row.

    A program keeps one side of its tile, BLOCK_T or for keys and values BLOCK_S, and passes over the other. A step
    halves or doubles the other side, takes 4 warps for 8 or 8 for 4, alone or with the side that is kept, or has one
    load more or less in flight. A kept side by itself is no step: with twice the rows a warp spills, with half of them
    it has too few. When a neighbour is better and stands in the table, its own neighbours are the next list.

    A step may need more shared memory than there is, or spill; whoever times it sees that. Compiled in bfloat16 for
    head widths 64 and 128, 41 of sm_80's 42 candidates have enough, and 35 do not spill in their loops; of sm_90's 42
    all have enough, and 33 do not spill there.
    """
    tiles = TABLE[row, itemsize][kernel][column_of(block_e)]
    kept, passed = ("block_s", "block_t") if kernel == KEYS_VALUES else ("block_t", "block_s")
    sides = tiles._asdict()
    warps, keeping = (8, 2 * sides[kept]) if tiles.n_warps == 4 else (4, sides[kept] // 2)
    steps: list[dict[str, int]] = [
        {},
        {passed: sides[passed] // 2},
        {passed: sides[passed] * 2},
        {"n_warps": warps},
        {"n_warps": warps, kept: keeping},
        {"n_stages": tiles.n_stages - 1},
        {"n_stages": tiles.n_stages + 1},
    ]
    found = [tiles._replace(**step) for step in steps]
    return [near for near in found if min(near.block_t, near.block_s) >= 16 and near.n_stages >= 1]


class HeadTiles(NamedTuple):
    """The size of a tile of logits, or of another product, and how a program works on it.

    Attributes:
        rows: rows of the tile.
        columns: columns of the tile; tokens, where it holds logits.
        depth: terms of each sum that are multiplied together.
        n_warps: see :class:`Tiles`.
        n_stages: see :class:`Tiles`.
    """

    rows: int
    columns: int
    depth: int
    n_warps: int
    n_stages: int


# The kernels of the loss, by a dtype's bytes and the row of a kind of GPU.
HEAD_TABLE = {
    ("sm_80", 2): HeadTiles(128, 128, 32, 8, 3),
    ("sm_86", 2): HeadTiles(128, 128, 32, 8, 3),
    ("sm_89", 2): HeadTiles(128, 128, 32, 8, 3),
    ("sm_90", 2): HeadTiles(128, 128, 64, 8, 3),
    ("sm_100", 2): HeadTiles(128, 128, 64, 8, 3),
    ("sm_120", 2): HeadTiles(128, 128, 32, 8, 3),
    ("gfx942", 2): HeadTiles(128, 128, 32, 8, 2),
    ("sm_80", 4): HeadTiles(64, 64, 16, 8, 2),
    ("gfx942", 4): HeadTiles(64, 64, 16, 8, 1),
}
for row in ("sm_86", "sm_89", "sm_90", "sm_100", "sm_120"):
    HEAD_TABLE[row, 4] = HEAD_TABLE["sm_80", 4]
HEAD_INTERPRETED = HeadTiles(128, 128, 64, 1, 1)
HEAD_DOUBLE = HeadTiles(16, 16, 16, 4, 1)


def head_tiles_for(device: torch.device, dtype: torch.dtype) -> HeadTiles:
    """The tiles of the loss on a device."""
    if device.type == "cpu":
        return HEAD_INTERPRETED
    return HEAD_DOUBLE if dtype == torch.float64 else HEAD_TABLE[row_of(device), dtype.itemsize]


def row_of(device: torch.device) -> str:
    """The row of ``TABLE`` for a GPU; one that it does not know gets that of a near one with no more shared memory."""
    if torch.version.hip:
        return "gfx942"
    major, minor = torch.cuda.get_device_capability(device)
    if major == 8:
        return {0: "sm_80", 7: "sm_80", 9: "sm_89"}.get(minor, "sm_86")
    return {9: "sm_90", 10: "sm_100", 12: "sm_120"}.get(major, "sm_86")
