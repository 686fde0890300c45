"""Compilation for GPUs that are not here: ``python tests/kernels/ahead_of_time.py`` prints what each kernel takes.

A register spill inside a loop costs memory traffic at every tile, the very thing that a fused kernel is for; a tile
that needs more shared memory than a GPU has does not run at all. Either makes this fail, for any entry of
``kernels/tile_sizes.py``. The interpreter runs one program after another and knows neither.
"""

import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from minigpt.kernels.flash_backward import keys_values_kernel, normaliser_kernel, queries_kernel
from minigpt.kernels.flash_forward import forward_kernel
from minigpt.kernels.tile_sizes import FORWARD, KEYS_VALUES, QUERIES, TABLE

KERNELS = {FORWARD: forward_kernel, QUERIES: queries_kernel, KEYS_VALUES: keys_values_kernel}
TARGETS = {
    "sm_80": (GPUTarget("cuda", 80, 32), "ampere", 99 * 1024),  # the least of the GPUs that take this row
    "sm_90": (GPUTarget("cuda", 90, 32), "hopper", 227 * 1024),
    "sm_100": (GPUTarget("cuda", 100, 32), "hopper", 227 * 1024),
    "gfx942": (GPUTarget("hip", "gfx942", 64), "cdna", 64 * 1024),
}  # with the row of the table that the GPU takes and the bytes of shared memory that a program may have
NVIDIA_TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


class Job(NamedTuple):
    """One kernel for one GPU, dtype and head width."""

    target: str
    kernel: str
    dtype: str
    width: int


class Cost(NamedTuple):
    """Registers of a thread, spilling instructions, those of them inside loops, bytes of shared memory."""

    registers: int
    spills: int
    spills_in_loops: int
    shared_bytes: int


def jobs():
    """Every entry of the table, on every GPU that reads it, in the dtypes of its size."""
    return [Job(*job) for job in product(TARGETS, [*KERNELS, "normaliser"], ("fp16", "fp32"), (64, 128, 256))]


def cost(job: Job) -> Cost:
    """Compile with a causal mask and a window, which have every kind of loop, for contiguous, aligned heads."""
    target, family, _ = TARGETS[job.target]
    table = TABLE[family, 2 if job.dtype == "fp16" else 4]
    tiles = table.get(job.kernel, table[QUERIES])[(job.width > 64) + (job.width > 128)]
    kernel = KERNELS.get(job.kernel, normaliser_kernel)
    constants = {"GROUP": 2, "E": job.width, "CAUSAL": True, "WINDOWED": True}
    constants |= {"BLOCK_T": tiles.block_t, "BLOCK_S": tiles.block_s, "BLOCK_E": job.width}
    options = {"num_warps": tiles.n_warps, "num_stages": tiles.n_stages, "enable_fp_fusion": True}
    source = ASTSource(kernel, *specialisation(kernel, job.dtype, constants))
    return measured(triton.compile(source, target=target, options=options), target)


def specialisation(kernel, dtype: str, constants: dict[str, object]):
    """The types of a kernel's arguments, its constants, and what it may suppose to be a multiple of 16."""
    types, known, aligned = {}, {}, {}
    for i, name in enumerate(kernel.arg_names):
        if name in constants:
            types[name], known[(i,)] = "constexpr", constants[name]
        elif name.endswith("_strides"):
            n = 3 if name.startswith("dlse") else 4
            types[name] = ("i32",) * (n - 1) + ("constexpr",)
            known[(i, n - 1)] = 1
            aligned |= {(i, j): [["tt.divisibility", 16]] for j in range(n - 1)}
        elif re.search(r"_(BH|BG)", name):
            types[name] = "*fp32" if re.match("d?lse_|d_", name) else f"*{dtype}"
            aligned[(i,)] = [["tt.divisibility", 16]]
        else:
            types[name] = "fp32" if name.startswith("scale") else "i32"
            if name in ("T", "S"):
                aligned[(i,)] = [["tt.divisibility", 16]]
    return types, known, aligned


def measured(compiled, target: GPUTarget) -> Cost:
    """What the assembler says; on AMD, which counts registers, every spill is taken to be in a loop."""
    if target.backend == "hip":
        found = (re.search(rf"\.{key}:\s*(\d+)", compiled.asm["amdgcn"]) for key in ("vgpr_count", "vgpr_spill_count"))
        registers, spills = (int(count[1]) for count in found)
        return Cost(registers, spills, spills, compiled.metadata.shared)
    with TemporaryDirectory() as folder:
        cubin = Path(folder) / "kernel.cubin"
        cubin.write_bytes(compiled.asm["cubin"])
        usage, code = (
            subprocess.run([NVIDIA_TOOLS / tool, option, cubin], capture_output=True, text=True, check=True).stdout
            for tool, option in (("cuobjdump", "-res-usage"), ("nvdisasm", "-c"))
        )
    return Cost(int(re.search(r"REG:(\d+)", usage)[1]), *spills_in(code), compiled.metadata.shared)


def spills_in(code: str) -> tuple[int, int]:
    """Loads and stores of spilled registers: all, and those in an innermost loop, which runs once for each tile."""
    labels, spills, loops = {}, [], []
    for place, line in enumerate(code.splitlines()):
        if label := re.match(r"\s*(\.L\S+):", line):
            labels[label[1]] = place
        elif re.search(r"\b(LDL|STL)\b", line):
            spills.append(place)
        elif (branch := re.search(r"\bBRA\b.*`\((\.L\S+)\)", line)) and branch[1] in labels:
            loops.append(range(labels[branch[1]], place))
    innermost = [a for a in loops if not any(a != b and a.start <= b.start and b.stop <= a.stop for b in loops)]
    return len(spills), sum(any(spill in loop for loop in innermost) for spill in spills)


def main() -> bool:
    """Compile everything and print the table; whether all of it is fit to run."""
    fit = True
    print(f"{'GPU':8}{'kernel':13}{'dtype':7}{'width':>5}{'registers':>11}{'spills':>8}{'in loops':>10}{'shared':>9}")
    with ProcessPoolExecutor(2) as pool:
        for job, found in zip(jobs(), pool.map(cost, jobs()), strict=True):
            bad = found.spills_in_loops or found.shared_bytes > TARGETS[job.target][2]
            line = "{:8}{:13}{:7}{:5}".format(*job) + "{:11}{:8}{:10}{:9}".format(*found) + "  NOT FIT" * bool(bad)
            print(line, flush=True)
            fit = fit and not bad
    return fit


if __name__ == "__main__":
    sys.exit(not main())
