"""Whether a compiled kernel is fit to run: registers, spills, shared memory and bounds.

What ends up in memory that should be in a register (a *spill*) costs traffic in every pass of a loop, the very thing
that a Triton kernel is for; a tile that needs more shared memory than a GPU has does not run at all.
"""

from collections import Counter
from typing import NamedTuple

from minigpt.bench.compiled.bounds import bounds, occupancy
from minigpt.bench.compiled.compilation import compile_job, read_back, refuse_interpreter, tiles_of
from minigpt.bench.compiled.jobs import Job
from minigpt.bench.compiled.machine_code import kind, main_loop, read, spills
from minigpt.bench.compiled.targets import TARGETS
from minigpt.kernels.tile_sizes import FORWARD, HeadTiles, Tiles

BARS = {("sm_90", FORWARD, 128): 0.50, ("sm_80", FORWARD, 128): 0.35}  # the least bound without overlap, 16-bit


class Report(NamedTuple):
    """What the assembler made of a job.

    Attributes:
        mix: instructions of the main loop by what they are for, as ``machine_code.kind``.
        registers: of a thread.
        spills: instructions that move spilled registers.
        spills_in_loops: those of them in a loop that does the work, over tiles or rows.
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
    target, tiles = TARGETS[job.target], tiles or tiles_of(job)
    try:
        compiled = compile_job(job, tiles)
    except Exception as error:  # whatever the compiler throws
        return Report({}, faults=(_reason(error),))
    registers, listing = read_back(compiled, target)
    code = read(listing)
    all_spills, in_loops = spills(code)
    loop, n_warps = main_loop(code), tiles.n_warps
    useful, turns, overlap = bounds(loop, job, tiles) if job.dtype != "fp32" else (0.0, 0.0, 0.0)
    mix: Counter[str] = Counter()
    for opcode, n in loop.items():
        mix[kind(opcode)] += n
    report = Report(
        dict(mix),
        registers=registers,
        spills=all_spills,
        spills_in_loops=in_loops,
        shared=compiled.metadata.shared,
        occupancy=occupancy(registers, compiled.metadata.shared, n_warps, target),
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
