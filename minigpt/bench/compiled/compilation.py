"""Kernels compiled for GPUs that are not here, and the machine code read back."""

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import triton
from triton.compiler import ASTSource

from minigpt.bench.compiled.jobs import ATTENTION_KERNELS, HEAD_KERNELS, PATTERNS, ROW_KERNELS, Job
from minigpt.bench.compiled.targets import TARGETS, Target
from minigpt.kernels import rms_norm
from minigpt.kernels.flash_forward import forward_kernel
from minigpt.kernels.tile_sizes import HEAD_TABLE, QUERIES, TABLE, HeadTiles, Tiles, column_of


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


def tiles_of(job: Job) -> Tiles | HeadTiles:
    """The tiles that ``tile_sizes`` has for a job."""
    if job.kernel in HEAD_KERNELS:
        return HEAD_TABLE[job.target, 4 if job.dtype == "fp32" else 2]
    if job.kernel in ROW_KERNELS:
        return Tiles(1, 1, rms_norm.n_warps(triton.next_power_of_2(job.width)), 1)
    table = TABLE[job.target, 4 if job.dtype == "fp32" else 2]
    return table.get(job.kernel, table[QUERIES])[column_of(job.width)]


def compile_job(job: Job, tiles: Tiles | HeadTiles) -> Any:
    """Compile for contiguous, aligned tensors, whose rows are a multiple of 16 long."""
    constants: dict[str, Any] = {"E": job.width, "BLOCK_E": job.width, **PATTERNS[job.pattern]}
    constants |= {"BLOCK": triton.next_power_of_2(job.width), "ROW_KERNELS": rms_norm.ROWS_A_PROGRAM}
    constants |= {"ADDED": job.kernel == "head_dx", "a_strides": 0 if job.kernel == "head_dweight" else 1}
    if isinstance(tiles, HeadTiles):
        constants |= {"BLOCK_R": tiles.rows, "BLOCK_V": tiles.columns, "BLOCK_D": tiles.depth}
        constants |= {"BLOCK_I": tiles.rows, "BLOCK_K": tiles.columns, "BLOCK_J": tiles.depth}
    else:
        constants |= {"BLOCK_T": tiles.block_t, "BLOCK_S": tiles.block_s}
    kernel = (ATTENTION_KERNELS | ROW_KERNELS | HEAD_KERNELS)[job.kernel]
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


def read_back(compiled: Any, target: Target) -> tuple[int, str]:
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
