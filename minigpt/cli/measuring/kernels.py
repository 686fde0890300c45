"""The command that compiles the kernels for GPUs that are not here, or times their tiles on one: `minigpt kernels`."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import tyro
from tqdm import tqdm

from minigpt.bench import tune_tiles
from minigpt.settings import counted

if TYPE_CHECKING:
    from minigpt.bench.compiled.inspection import Report
    from minigpt.bench.compiled.jobs import Job

COLUMNS = {"tensor": "tensor", "special": "exp", "float": "float", "alu": "alu", "load": "load", "wait": "wait"}
EXPLANATION = """
registers: of a thread. spills: instructions for registers that did not fit, all and those in loops. shared: kilobytes
of a program. fit: the share of a multiprocessor's warps that run at once. Then the instructions of a warp in the main
loop, the one without a mask: matrix products, exponentials, float32, other arithmetic, loads and stores, waits.
useful: the share of the products that is needed; below 100% where warps repeat each other's.
turns, overlap: the most that the tensor cores can do, as a share of their peak, if they and the rest take turns, and if
both run side by side. Bounds from counted instructions, not measurements: waiting is left out."""


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """Compile our Triton kernels and read what comes out, without a GPU, or find the fastest tiles on one.

    Attributes:
        what: "check": compile for GPUs that are not here; a register spill in a loop, shared memory that a GPU does not
            have, a bound below the bar or an error of the compiler is an error. "tune": on a GPU, time the attention
            kernels with the tiles of our table and their neighbours, and print the table's lines for it.
        all: check every GPU, dtype, width and mask instead of a choice; some minutes.
        processes: how many compile at once in a check.
    """

    what: tyro.conf.Positional[Literal["check", "tune"]] = "check"
    all: bool = False
    processes: int = 2

    def __call__(self) -> None:
        """Print the table."""
        if self.what == "tune":
            tune()
            return
        from minigpt.bench.compiled import compilation
        from minigpt.bench.compiled.jobs import choose_jobs

        compilation.refuse_interpreter()
        jobs = choose_jobs(self.all)
        reports = compile_all(jobs, self.processes)
        print(f"compiled by {compilation.compilers()}\n")
        print(table(jobs, reports))
        print(EXPLANATION)
        named = zip(jobs, reports, strict=True)
        unfit = [" ".join(map(str, job)) for job, report in named if report.faults]
        if unfit:
            raise ValueError(f"{len(unfit)} of {counted(len(jobs), 'kernel')} not fit to run: {', '.join(unfit)}")
        fit = "fit to run" if len(jobs) == 1 else "all fit to run"
        print(f"\n{counted(len(jobs), 'kernel')}, {fit}: no spill in a loop, no more shared memory than there is")


def tune() -> None:
    """Print what each choice of tiles takes on this GPU, and the lines of ``TABLE`` that follow."""
    if not torch.cuda.is_available():
        raise ValueError(
            f"tiles are timed on a CUDA GPU, and torch {torch.__version__} finds none here; "
            "`minigpt kernels check` compiles the kernels without one"
        )
    from minigpt.bench.compiled.compilation import refuse_interpreter
    from minigpt.kernels.tile_sizes import row_of

    refuse_interpreter()
    device = torch.device("cuda")
    measured = tune_tiles(device, row_of(device))
    print(measured)
    print(f"\nThe best, for TABLE in kernels/tile_sizes.py:\n\n{measured.entry()}")
    wrong = [" ".join(str(one).split()) for one in measured.tried if one.wrong]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(measured.tried)} computed other numbers than the formula: {'; '.join(wrong)}"
        )


def compile_all(jobs: "list[Job]", processes: int) -> "list[Report]":
    """A report for each job; several processes compile at once."""
    from minigpt.bench.compiled.inspection import inspect

    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        running = pool.map(inspect, jobs)
        return list(tqdm(running, "compiling", len(jobs), leave=False))


def table(jobs: "list[Job]", reports: "list[Report]") -> str:
    """A line for each job, with its faults at the end."""
    job = f"{'GPU':8}{'kernel':14}{'dtype':6}{'width':>6} {'mask':7}"
    size = f"{'registers':>10}{'spills':>8}{'loops':>6}{'shared':>8}{'fit':>6}"
    mix = "".join(f"{name:>7}" for name in COLUMNS.values())
    return "\n".join([f"{job}{size}{mix}{'useful':>7}{'turns':>7}{'overlap':>8}", *map(line, jobs, reports)])


def line(job: "Job", report: "Report") -> str:
    """One job's line of the table."""
    name = f"{job.target:8}{job.kernel:14}{job.dtype:6}{job.width:>6} {job.pattern:7}"
    if not report.registers:
        return f"{name} {'; '.join(report.faults)}"
    size = f"{report.registers:10}{report.spills:8}{report.spills_in_loops:6}{report.shared / 1024:8.1f}"
    mix = "".join(f"{report.mix.get(kind) or '':>7}" for kind in COLUMNS)
    bounds = f"{_share(report.useful):>7}{_share(report.turns):>7}{_share(report.overlap):>8}"
    return f"{name}{size}{report.occupancy:>6.0%}{mix}{bounds}  {'; '.join(report.faults)}".rstrip()


def _share(share: float) -> Any:
    return f"{share:.0%}" if share else ""
