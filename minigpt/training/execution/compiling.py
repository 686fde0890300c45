"""Whether compiling the blocks pays: it costs seconds at first, and each step is faster after that.

Three steps are timed as written, of which the least counts, unless the choice of the precision has timed some. The
compiler's time and what it saves of a step were measured, on two CPU cores, at 6 blocks of width 192 in bfloat16: 15 s
once, then 98 ms a step where 145 ms were needed before. A small model, or a short run, is over before the compiler has
finished.
"""

import os
import shutil
from functools import partial
from importlib.util import find_spec

from minigpt.settings.language import Bilingual
from minigpt.training.execution.timing import one_gradient, seconds_in_turns
from minigpt.training.run_state import RunState

SAVES = 0.25  # of a step; a cautious choice
COSTS = {"cpu": 20.0, "cuda": 60.0}  # seconds until the first compiled step


def choose_compile(run: RunState, seconds: float | None = None) -> tuple[bool, str]:
    """Whether a run is to compile its blocks with ``compile="auto"``, and why, in a sentence.

    Args:
        run: whose first batch is computed, without an update.
        seconds: of one gradient, where it was timed already; ``None`` times it.
    """
    device, steps = run.precision.device.type, run.config.steps
    if device not in COSTS or run.world.size > 1:
        return False, Bilingual(
            f"not compiled: on {device} in {run.world.size} process(es) compile=True is yours to try",
            f"未编译：在 {device} 上、{run.world.size} 个进程中，可以自己试 compile=True",
        ).spoken()
    if not _can_compile(device):
        lacks = Bilingual("C++ compiler", " C++ 编译器") if device == "cpu" else Bilingual("triton", " triton")
        return False, Bilingual(f"not compiled: there is no {lacks.en} here", f"未编译：这里没有{lacks.zh}").spoken()
    if seconds is None:
        (seconds,) = seconds_in_turns({"as written": partial(one_gradient, run)}, turns=3).values()
    saved, cost = SAVES * seconds * steps, COSTS[device]
    pays = saved > cost
    return pays, Bilingual(
        f"{'compiled' if pays else 'not compiled'}: {steps:,} steps of {seconds:.3f} s would save about "
        f"{saved:.0f} s, and the compiler takes about {cost:.0f} s",
        f"{'已编译' if pays else '未编译'}：{steps:,} 步、每步 {seconds:.3f} 秒，约可省 {saved:.0f} 秒，编译约需 "
        f"{cost:.0f} 秒",
    ).spoken()


def _can_compile(device: str) -> bool:
    if device == "cuda":
        return find_spec("triton") is not None
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))
