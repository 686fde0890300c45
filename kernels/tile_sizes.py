"""How large a tile is, for each kernel, kind of GPU, dtype and head width.

Every entry was compiled for its kind of GPU and keeps its loops free of register spills; none has been timed, so
they are where tuning starts.

Dimensions: BLOCK_T queries by BLOCK_S keys in a tile, BLOCK_E the head width rounded up to a power of 2.
"""

from typing import NamedTuple

import torch

FORWARD, QUERIES, KEYS_VALUES = "forward", "queries", "keys_values"  # the kernels with tiles; two are of the backward


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


# For head widths up to 64, 128 and 256. "hopper" has 227 kB of shared memory for a program (compute capability 9 and
# 10), "ampere" stands for every other NVIDIA GPU and stays below the 99 kB of the smallest, "cdna" is AMD's.
TABLE = {
    ("hopper", 2): {
        FORWARD: (Tiles(128, 64, 8, 3), Tiles(128, 64, 8, 3), Tiles(128, 32, 8, 2)),
        QUERIES: (Tiles(64, 64, 4, 3), Tiles(128, 32, 8, 3), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(32, 128, 8, 2), Tiles(32, 64, 8, 2), Tiles(32, 32, 8, 1)),
    },
    ("ampere", 2): {
        FORWARD: (Tiles(128, 64, 4, 2), Tiles(128, 32, 8, 2), Tiles(64, 32, 8, 2)),
        QUERIES: (Tiles(64, 64, 4, 2), Tiles(64, 32, 4, 2), Tiles(32, 32, 8, 2)),
        KEYS_VALUES: (Tiles(32, 128, 8, 2), Tiles(32, 64, 8, 2), Tiles(32, 32, 8, 1)),
    },
    ("ampere", 4): {
        FORWARD: (Tiles(64, 32, 8, 2), Tiles(32, 32, 8, 2), Tiles(32, 16, 8, 1)),
        QUERIES: (Tiles(64, 32, 8, 1), Tiles(32, 16, 8, 1), Tiles(16, 16, 8, 1)),
        KEYS_VALUES: (Tiles(16, 32, 4, 1), Tiles(32, 32, 8, 1), Tiles(16, 16, 8, 1)),
    },
    ("cdna", 2): {
        FORWARD: (Tiles(128, 64, 4, 1), Tiles(64, 64, 4, 1), Tiles(64, 32, 8, 1)),
        QUERIES: (Tiles(64, 64, 4, 1), Tiles(64, 32, 4, 1), Tiles(16, 16, 4, 1)),
        KEYS_VALUES: (Tiles(32, 64, 4, 1), Tiles(32, 64, 4, 1), Tiles(32, 32, 4, 1)),
    },
    ("cdna", 4): {
        FORWARD: (Tiles(64, 32, 4, 1), Tiles(32, 32, 4, 1), Tiles(32, 16, 8, 1)),
        QUERIES: (Tiles(32, 32, 4, 1), Tiles(16, 16, 4, 1), Tiles(16, 16, 4, 1)),
        KEYS_VALUES: (Tiles(32, 32, 8, 1), Tiles(16, 16, 4, 1), Tiles(16, 16, 4, 1)),
    },
}
TABLE["hopper", 4] = TABLE["ampere", 4]
INTERPRETED = Tiles(64, 64, 1, 1)  # on the CPU: the fewer tiles the quicker
DOUBLE = Tiles(16, 16, 4, 1)  # float64 is for checks, not for speed


def tiles_for(kernel: str, device: torch.device, dtype: torch.dtype, block_e: int) -> Tiles:
    """The tiles of ``FORWARD``, ``QUERIES`` or ``KEYS_VALUES`` on a device, for heads of width ``block_e`` ≤ 256."""
    if device.type == "cpu":
        return INTERPRETED
    if dtype == torch.float64:
        return DOUBLE
    return TABLE[family(device), dtype.itemsize][kernel][(block_e > 64) + (block_e > 128)]


def family(device: torch.device) -> str:
    """The kind of GPU that ``TABLE`` knows: "hopper", "ampere" or "cdna"."""
    if torch.version.hip:
        return "cdna"
    return "hopper" if torch.cuda.get_device_capability(device)[0] in (9, 10) else "ampere"
