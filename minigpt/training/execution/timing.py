"""Ways to compute a step, timed in turns before the first one: what "auto" chooses by.

A turn takes each way once, so that whatever slows the machine down slows all of them down, and the least time of each
counts: the first turn, which prepares kernels, is seldom it. Neither weights nor moments are changed.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from minigpt.training.gradients import batch_gradient
from minigpt.training.run_state import RunState


def seconds_in_turns(
    ways: Mapping[str, Callable[[], object]], turns: int, at_most: float = float("inf")
) -> dict[str, float]:
    """The least time of each way, in seconds.

    Args:
        ways: what is timed, by name.
        turns: how often each is, at least once.
        at_most: seconds after which no further turn starts.
    """
    least = dict.fromkeys(ways, float("inf"))
    first = time.perf_counter()
    for turn in range(turns):
        if turn and time.perf_counter() - first > at_most:
            break
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            least[name] = min(least[name], time.perf_counter() - started)
    return least


def one_gradient(run: RunState) -> None:
    """Compute the gradient of the first batch of a run, and throw it away.

    Args:
        run: whose weights, moments and draws of dropout stay as they are.
    """
    try:
        batch_gradient(run, 0)
        if run.precision.device.type == "cuda":
            torch.cuda.synchronize()
    finally:  # interrupted, too: the next training would begin with half a gradient
        run.model.zero_grad()
        run.loss.balance_now = None


@contextmanager
def draws_kept(device: torch.device) -> Iterator[None]:
    """Leave the global generators as they were: PyTorch's, and those that data may draw from, NumPy's and Python's.

    Args:
        device: draws, beside the CPU.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
