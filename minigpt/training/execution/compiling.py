"""Whether compiling the blocks pays: it costs seconds at first, and each step is faster after that.

Two steps are timed as written. The compiler's time and what it saves of a step were measured, on two CPU cores, at 6
blocks of width 192 in bfloat16: 15 s once, then 98 ms a step where 145 ms were needed before. A small model, or a short
run, is over before the compiler has finished.
"""

import os
import shutil
import time
from importlib.util import find_spec

import torch

from minigpt.training.gradients import batch_gradient
from minigpt.training.run_state import RunState

SAVES = 0.25  # of a step; a cautious choice
COSTS = {"cpu": 20.0, "cuda": 60.0}  # seconds until the first compiled step


def choose_compile(run: RunState) -> tuple[bool, str]:
    """Whether a run is to compile its blocks with ``compile="auto"``, and why, in a sentence.

    Args:
        run: whose first batch is computed, without an update.
    """
    device = run.precision.device.type
    if device not in COSTS or run.world.size > 1:
        return False, f"not compiled: on {device} in {run.world.size} process(es) compile=True is yours to try"
    if not _can_compile(device):
        return False, f"not compiled: there is no {'C++ compiler' if device == 'cpu' else 'triton'} here"
    seconds = _step_seconds(run)
    saved, cost = SAVES * seconds * run.config.steps, COSTS[device]
    pays = saved > cost
    return pays, (
        f"{'compiled' if pays else 'not compiled'}: {run.config.steps:,} steps of {seconds:.3f} s would save about "
        f"{saved:.0f} s, and the compiler takes about {cost:.0f} s"
    )


def _can_compile(device: str) -> bool:
    if device == "cuda":
        return find_spec("triton") is not None
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))


def _step_seconds(run: RunState) -> float:
    """The time of one gradient, the better of two after a first."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        batch_gradient(run, 0)
        if run.precision.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
        run.optimizer.zero_grad()
    run.loss.balance_now = None
    return min(times[1:])
