r"""What the instructions of a kernel's main loop say about its speed.

From the main loop, the one without a mask, follows a bound. Let $T$ be the clocks that the matrix products of a pass
take on the tensor cores, $U$ what the products that are needed would take, and $X$ the clocks of the busiest of the
other units: the issue of instructions, exponentials, float32, other arithmetic, shared memory. Then the tensor cores
do useful work for a share of at most

$$\frac{U}{T + X} \text{ if they and the rest take turns (no overlap), and } \frac{U}{\max(T, X)}
\text{ if they run side by side.}$$

Both leave out waiting: for memory, for the result of the instruction before, for other warps. They say what a tile
cannot reach, not what it reaches; that is for a GPU to tell.
"""

import re
from collections import Counter, defaultdict

from minigpt.bench.compiled.jobs import HEAD_KERNELS, Job
from minigpt.bench.compiled.machine_code import kind, product_flops, shared_bytes
from minigpt.bench.compiled.targets import ISSUED, KB, SHARED_BYTES, TARGETS, Target
from minigpt.kernels.tile_sizes import PRODUCTS, HeadTiles, Tiles


def occupancy(registers: int, shared: int, n_warps: int, target: Target) -> float:
    """The share of the warps that fit, by registers (given out by the 8 a thread) and shared memory."""
    warp = target.gpu.warp_size
    by_registers = target.registers // (-(-registers // 8) * 8 * warp * n_warps)
    by_shared = target.shared // (shared + (KB if target.gpu.backend == "cuda" else 0)) if shared else target.warps
    return min(by_registers, by_shared, target.warps // n_warps) * n_warps / target.warps


def clocks(loop: Counter[str], n_warps: int, target: Target) -> dict[str, float]:
    """Clocks of a multiprocessor that each unit but the tensor cores is busy for, in one pass of a program's loop."""
    warp = target.gpu.warp_size
    amd = target.gpu.backend == "hip"
    busy: dict[str, float] = defaultdict(float)
    for opcode, n in loop.items():
        what, results = kind(opcode), n * n_warps * warp
        busy["shared"] += n * n_warps * shared_bytes(opcode, warp) / SHARED_BYTES
        if what != "tensor" and not amd:
            busy["issue"] += results / ISSUED
        if what in ("special", "float", "alu"):
            twice = 2 if re.match(r"F(FMA|MUL|ADD)2|v_pk_", opcode) else 1
            unit = "vector" if amd else what  # AMD has one unit for all three
            busy[unit] += results * twice / getattr(target, f"{what}_lanes")
    return dict(busy)


def bounds(loop: Counter[str], job: Job, tiles: Tiles | HeadTiles) -> tuple[float, float, float]:
    """The share of the products that is needed, and with that the tensor cores' bounds without and with overlap."""
    if job.kernel not in PRODUCTS | HEAD_KERNELS or not loop:
        return 0.0, 0.0, 0.0
    target = TARGETS[job.target]
    if isinstance(tiles, HeadTiles):
        needed = 2 * tiles.rows * tiles.columns * tiles.depth
    else:
        needed = PRODUCTS[job.kernel] * 2 * tiles.block_t * tiles.block_s * job.width
    named = [product_flops(opcode) for opcode in loop if kind(opcode) == "tensor"]
    done = needed  # sm_100's products take their size from a register
    if named and None not in named:
        done = tiles.n_warps * sum(n * (product_flops(opcode) or 0) for opcode, n in loop.items())
    rest = max(clocks(loop, tiles.n_warps, target).values())
    useful, taken = needed / target.tensor_flops, done / target.tensor_flops
    return needed / done, useful / (taken + rest), useful / max(taken, rest)
