"""The most bytes of tensors that are alive at once while something runs."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from minigpt.bench.turns import CPU


def peak_allocation(function: Callable[[], object], device: torch.device = CPU) -> int:
    """The most bytes that were allocated at once during a call, beyond what was there before it.

    Args:
        function: what runs.
        device: whose memory is meant.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _quiet_profiler(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        function()
    recorded = profiler.profiler
    assert recorded is not None
    alive, peak = 0, 0
    for event in recorded.kineto_results.events():
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    return peak


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """The profiler's C++ part writes to file descriptor 2 when it starts and stops; nobody asked for that."""
    sys.stderr.flush()
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
