r"""Kernels compiled for GPUs that are not here, and what their machine code says about speed.

What ends up in memory that should be in a register (a *spill*) costs traffic in every pass of a loop, the very thing
that a Triton kernel is for; a tile that needs more shared memory than a GPU has does not run at all.

From the main loop, the one without a mask, follows a bound. Let $T$ be the clocks that the matrix products of a pass
take on the tensor cores, $U$ what the products that are needed would take, and $X$ the clocks of the busiest of the
other units: the issue of instructions, exponentials, float32, other arithmetic, shared memory. Then the tensor cores
do useful work for a share of at most

$$\frac{U}{T + X} \text{ if they and the rest take turns (no overlap), and } \frac{U}{\max(T, X)}
\text{ if they run side by side.}$$

Both leave out waiting: for memory, for the result of the instruction before, for other warps. They say what a tile
cannot reach, not what it reaches; that is for a GPU to tell.

Source: rates: NVIDIA, CUDA C++ Programming Guide, "Throughput of Native Arithmetic Instructions", and the
architectures' white papers; AMD, CDNA 3 white paper.
"""

import re
import subprocess
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from minigpt.bench.compiled import machine_code
from minigpt.kernels import head_tiles, rms_norm
from minigpt.kernels.flash_backward import keys_values_kernel, normaliser_kernel, queries_kernel
from minigpt.kernels.flash_forward import forward_kernel
from minigpt.kernels.tile_sizes import (
    FORWARD,
    HEAD_TABLE,
    KEYS_VALUES,
    PRODUCTS,
    QUERIES,
    TABLE,
    HeadTiles,
    Tiles,
    column_of,
)


class Target(NamedTuple):
    """A kind of GPU; rates are for one of its multiprocessors and one clock.

    Attributes:
        gpu: as Triton names it.
        program_shared: bytes of shared memory that a program may have.
        shared: bytes of shared memory for all programs together.
        warps: groups of threads that fit.
        registers: for all threads together, 4 bytes each.
        tensor_flops: operations of 16-bit products, sums in float32, dense.
        float_lanes: float32 results.
        alu_lanes: results of comparisons, conversions and integer arithmetic.
        special_lanes: exponentials.
    """

    gpu: GPUTarget
    program_shared: int
    shared: int
    warps: int
    registers: int
    tensor_flops: int
    float_lanes: int
    alu_lanes: int
    special_lanes: int


KB = 1024
TARGETS = {
    "sm_80": Target(GPUTarget("cuda", 80, 32), 163 * KB, 164 * KB, 64, 65536, 2048, 64, 64, 16),
    "sm_86": Target(GPUTarget("cuda", 86, 32), 99 * KB, 100 * KB, 48, 65536, 1024, 128, 64, 16),
    "sm_89": Target(GPUTarget("cuda", 89, 32), 99 * KB, 100 * KB, 48, 65536, 1024, 128, 64, 16),
    "sm_90": Target(GPUTarget("cuda", 90, 32), 227 * KB, 228 * KB, 64, 65536, 4096, 128, 64, 16),
    "sm_100": Target(GPUTarget("cuda", 100, 32), 227 * KB, 228 * KB, 64, 65536, 8192, 128, 64, 16),
    "sm_120": Target(GPUTarget("cuda", 120, 32), 99 * KB, 100 * KB, 48, 65536, 1024, 128, 64, 16),
    "gfx942": Target(GPUTarget("hip", "gfx942", 64), 64 * KB, 64 * KB, 32, 131072, 2048, 128, 64, 16),
}
ISSUED = 128  # threads whose instructions a multiprocessor takes up in a clock: four schedulers, 32 threads each
SHARED_BYTES = 128  # that a multiprocessor moves in a clock


class Job(NamedTuple):
    """One kernel for one GPU, dtype ("bf16", "fp16" or "fp32") and width, with one pattern of ``PATTERNS``."""

    target: str
    kernel: str
    dtype: str
    width: int
    pattern: str = "causal"


PATTERNS = {
    "causal": {"CAUSAL": True, "WINDOWED": False, "GROUP": 1},
    "full": {"CAUSAL": False, "WINDOWED": False, "GROUP": 1},
    "window": {"CAUSAL": True, "WINDOWED": True, "GROUP": 4},  # with shared heads: every kind of loop there is
}
ATTENTION = {
    FORWARD: forward_kernel,
    "normaliser": normaliser_kernel,
    QUERIES: queries_kernel,
    KEYS_VALUES: keys_values_kernel,
}
ROWS = {"rms_forward": rms_norm.forward_kernel, "rms_backward": rms_norm.backward_kernel}
HEAD = {
    "head_loss": head_tiles.loss_kernel,
    "head_gradient": head_tiles.gradient_kernel,
    "head_dx": head_tiles.product_kernel,
    "head_dweight": head_tiles.product_kernel,
}
BARS = {("sm_90", FORWARD, 128): 0.50, ("sm_80", FORWARD, 128): 0.35}  # the least bound without overlap, 16-bit


class Report(NamedTuple):
    """What the assembler made of a job.

    Attributes:
        mix: instructions of the main loop by what they are for, as ``machine_code.kind``.
        registers: of a thread.
        spills: instructions that move spilled registers.
        spills_in_loops: those of them that stand in a loop that does the work, over tiles or rows.
        shared: bytes of shared memory of a program.
        occupancy: the share of a multiprocessor's warps that fit beside each other.
        useful: the share of the products that are needed; below 1 where warps do the same ones.
        turns: the tensor cores' share of the time without overlap; 0 where there are no such products.
        overlap: the same if all else runs beside them.
        faults: why it is not fit to run; empty if it is.
    """

    mix: dict[str, int]
    registers: int = 0
    spills: int = 0
    spills_in_loops: int = 0
    shared: int = 0
    occupancy: float = 0.0
    useful: float = 0.0
    turns: float = 0.0
    overlap: float = 0.0
    faults: tuple[str, ...] = ()


def jobs(everything: bool = False) -> list[Job]:
    """What is compiled: causal kernels in bf16 for four generations, or every GPU, dtype, width and mask.

    In fp16 and fp32 a causal mask with a window, which has every kind of loop, stands for all masks.
    """
    gpus = tuple(TARGETS) if everything else ("sm_80", "sm_90", "sm_100", "gfx942")
    masked, plain = [("bf16", "causal")], ["bf16"]
    if everything:
        masked += [("bf16", "full"), ("bf16", "window"), ("fp16", "window"), ("fp32", "window")]
        plain += ["fp32"]
    heads, rows = ((64, 128, 256), (768, 4096, 8192)) if everything else ((64, 128), (4096,))
    model_width = 768  # the kernels of the loss are compiled for any
    found = []
    for gpu in gpus:
        for kernel, width, (dtype, mask) in product(PRODUCTS, heads, masked):
            found.append(Job(gpu, kernel, dtype, width, mask))
        found += [Job(gpu, "normaliser", dtype, width) for width, dtype in product(heads, plain)]
        found += [Job(gpu, kernel, dtype, width) for kernel, width, dtype in product(ROWS, rows, plain)]
        found += [Job(gpu, kernel, dtype, model_width) for kernel, dtype in product(HEAD, plain)]
    return found


def refuse_interpreter() -> None:
    """Nothing is compiled while Triton interprets.

    Raises:
        ValueError: if ``TRITON_INTERPRET`` was set when triton was first imported.
    """
    if not isinstance(forward_kernel, triton.JITFunction):
        raise ValueError("TRITON_INTERPRET is set, so Triton interprets its kernels: unset it to compile them")


def compilers() -> str:
    """What compiles here, with versions."""
    return f"Triton {triton.__version__}, ptxas {triton.knobs.nvidia.ptxas.version}, LLVM for AMD; read by nvdisasm"


def inspect(job: Job, tiles: Tiles | HeadTiles | None = None) -> Report:
    """Compile a job and read what came out; an error of the compiler is a fault.

    Args:
        job: what to compile.
        tiles: instead of those that ``tile_sizes`` has for it.

    Raises:
        ValueError: in Triton's interpreter.
        FileNotFoundError: if NVIDIA's tools, which Triton's wheels bring, are not there.
    """
    refuse_interpreter()
    target, tiles = TARGETS[job.target], tiles or _tiles(job)
    try:
        compiled = _compile(job, tiles)
    except Exception as error:  # whatever the compiler throws
        return Report({}, faults=(_reason(error),))
    registers, listing = _read_back(compiled, target)
    code = machine_code.read(listing)
    spills, in_loops = machine_code.spills(code)
    loop, n_warps = machine_code.main_loop(code), tiles.n_warps
    useful, turns, overlap = _bounds(loop, job, tiles) if job.dtype != "fp32" else (0.0, 0.0, 0.0)
    mix: Counter[str] = Counter()
    for opcode, n in loop.items():
        mix[machine_code.kind(opcode)] += n
    report = Report(
        dict(mix),
        registers=registers,
        spills=spills,
        spills_in_loops=in_loops,
        shared=compiled.metadata.shared,
        occupancy=_occupancy(registers, compiled.metadata.shared, n_warps, target),
        useful=useful,
        turns=turns,
        overlap=overlap,
    )
    return report._replace(faults=tuple(_faults(job, report)))


def _reason(error: BaseException) -> str:
    """The first line of what lies at the bottom of a compiler's error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"


def _faults(job: Job, report: Report) -> list[str]:
    faults = []
    if report.spills_in_loops:
        faults.append(f"{report.spills_in_loops} spills in loops")
    if report.shared > (limit := TARGETS[job.target].program_shared):
        faults.append(f"{report.shared} bytes of shared memory, {limit} are there")
    if not report.faults and job.dtype != "fp32" and report.turns < (bar := BARS.get((*job[:2], job.width), 0.0)):
        faults.append(f"tensor cores at most {report.turns:.0%} of the time, {bar:.0%} are wanted")
    return faults


def _tiles(job: Job) -> Tiles | HeadTiles:
    if job.kernel in HEAD:
        return HEAD_TABLE[job.target, 4 if job.dtype == "fp32" else 2]
    if job.kernel in ROWS:
        return Tiles(1, 1, rms_norm.n_warps(triton.next_power_of_2(job.width)), 1)
    table = TABLE[job.target, 4 if job.dtype == "fp32" else 2]
    return table.get(job.kernel, table[QUERIES])[column_of(job.width)]


def _compile(job: Job, tiles: Tiles | HeadTiles) -> Any:
    """For contiguous, aligned tensors, whose rows are a multiple of 16 long."""
    constants: dict[str, Any] = {"E": job.width, "BLOCK_E": job.width, **PATTERNS[job.pattern]}
    constants |= {"BLOCK": triton.next_power_of_2(job.width), "ROWS": rms_norm.ROWS_A_PROGRAM}
    constants |= {"ADDED": job.kernel == "head_dx", "a_strides": 0 if job.kernel == "head_dweight" else 1}
    if isinstance(tiles, HeadTiles):
        constants |= {"BLOCK_R": tiles.rows, "BLOCK_V": tiles.columns, "BLOCK_D": tiles.depth}
        constants |= {"BLOCK_I": tiles.rows, "BLOCK_K": tiles.columns, "BLOCK_J": tiles.depth}
    else:
        constants |= {"BLOCK_T": tiles.block_t, "BLOCK_S": tiles.block_s}
    kernel = (ATTENTION | ROWS | HEAD)[job.kernel]
    options = {"num_warps": tiles.n_warps, "num_stages": tiles.n_stages, "enable_fp_fusion": True}
    source = ASTSource(kernel, *_specialisation(kernel, job.dtype, constants))
    return triton.compile(source, target=TARGETS[job.target].gpu, options=options)


def _specialisation(kernel: Any, dtype: str, constants: dict[str, Any]) -> tuple[dict, dict, dict]:
    """The types of a kernel's arguments, its constants, and what it may suppose to be a multiple of 16."""
    types: dict[str, Any] = {}
    known: dict[tuple[int, ...], Any] = {}
    aligned: dict[tuple[int, ...], Any] = {}
    multiple = [["tt.divisibility", 16]]
    for i, name in enumerate(kernel.arg_names):
        if name == "a_strides":  # of g, or of g turned
            one = constants[name]
            types[name] = ("constexpr", "i32") if one == 0 else ("i32", "constexpr")
            known[i, one], aligned[i, 1 - one] = 1, multiple
        elif name in constants:
            types[name], known[i,] = "constexpr", constants[name]
        elif name.endswith("_strides"):
            n = 3 if name.startswith("dlse") else 4
            types[name] = ("i32",) * (n - 1) + ("constexpr",)
            known[i, n - 1] = 1
            aligned |= {(i, j): multiple for j in range(n - 1)}
        elif re.search(r"_[A-Z]+$", name):
            wide = re.match(r"d?lse_|d_|r_|dgain_|true_|scale_", name) or (name == "out_IK" and constants["ADDED"])
            types[name] = "*i64" if name == "target_R" else "*fp32" if wide else f"*{dtype}"
            aligned[i,] = multiple
        else:
            types[name] = "fp32" if re.match("scale|eps|certain|everyone", name) else "i32"
            if name in ("T", "S", "D", "C", "K"):
                aligned[i,] = multiple
    return types, known, aligned


def _read_back(compiled: Any, target: Target) -> tuple[int, str]:
    """Registers of a thread, and the code: on NVIDIA by the tools that come with Triton, on AMD as LLVM says."""
    if target.gpu.backend == "hip":
        code = compiled.asm["amdgcn"]
        return int(re.search(r"\.vgpr_count:\s*(\d+)", code)[1]), code  # type: ignore[index]
    with TemporaryDirectory() as folder:
        cubin = Path(folder) / "kernel.cubin"
        cubin.write_bytes(compiled.asm["cubin"])
        usage = _tool("cuobjdump", "-res-usage", cubin)
        return int(re.search(r"REG:(\d+)", usage)[1]), _tool("nvdisasm", "-c", cubin)  # type: ignore[index]


def _tool(name: str, *arguments: Any) -> str:
    try:
        tool = getattr(triton.knobs.nvidia, name).path
    except RuntimeError:
        raise FileNotFoundError(
            f"no {name}, which Triton's wheels bring: pip install triton, or set TRITON_{name.upper()}_PATH"
        ) from None
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout


def _occupancy(registers: int, shared: int, n_warps: int, target: Target) -> float:
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
        what, results = machine_code.kind(opcode), n * n_warps * warp
        busy["shared"] += n * n_warps * machine_code.shared_bytes(opcode, warp) / SHARED_BYTES
        if what != "tensor" and not amd:
            busy["issue"] += results / ISSUED
        if what in ("special", "float", "alu"):
            twice = 2 if re.match(r"F(FMA|MUL|ADD)2|v_pk_", opcode) else 1
            unit = "vector" if amd else what  # AMD has one unit for all three
            busy[unit] += results * twice / getattr(target, f"{what}_lanes")
    return dict(busy)


def _bounds(loop: Counter[str], job: Job, tiles: Tiles | HeadTiles) -> tuple[float, float, float]:
    """The share of the products that is needed, and with that the tensor cores' bounds without and with overlap."""
    if job.kernel not in PRODUCTS | HEAD or not loop:
        return 0.0, 0.0, 0.0
    target = TARGETS[job.target]
    if isinstance(tiles, HeadTiles):
        needed = 2 * tiles.rows * tiles.columns * tiles.depth
    else:
        needed = PRODUCTS[job.kernel] * 2 * tiles.block_t * tiles.block_s * job.width
    named = [machine_code.product_flops(opcode) for opcode in loop if machine_code.kind(opcode) == "tensor"]
    done = needed  # sm_100's products take their size from a register
    if named and None not in named:
        done = tiles.n_warps * sum(n * (machine_code.product_flops(opcode) or 0) for opcode, n in loop.items())
    rest = max(clocks(loop, tiles.n_warps, target).values())
    useful, taken = needed / target.tensor_flops, done / target.tensor_flops
    return needed / done, useful / (taken + rest), useful / max(taken, rest)
