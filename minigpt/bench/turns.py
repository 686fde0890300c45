"""Times that can be compared: contenders take turns, round after round, in one run.

A time by itself says as much about the machine, and about what else it does, as about the code. So each round times
every contender once, one right after the other. The median over the rounds counts, and a ratio is the median of the
rounds' ratios: each is of two times that were taken within seconds of each other.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from tqdm import tqdm

T = TypeVar("T")
CPU = torch.device("cpu")
CANNOT_RUN = (RuntimeError, ImportError, ValueError)  # what a contender raises that does not work here


def take_turns(contenders: Mapping[str, Callable[[], T]], rounds: int, title: str = "") -> dict[str, list[T]]:
    """What each contender measures, a figure for each round.

    Args:
        contenders: by name; a call measures once.
        rounds: how often each has its turn.
        title: of the progress bar, on stderr.

    Raises:
        ValueError: if ``rounds`` is below 1.
    """
    if rounds < 1:
        raise ValueError(f"got rounds={rounds}; expected at least 1")
    measured: dict[str, list[T]] = {name: [] for name in contenders}
    with tqdm(total=rounds * len(contenders), desc=title, leave=False) as bar:
        for _ in range(rounds):
            for name, measure in contenders.items():
                measured[name].append(measure())
                bar.update()
    return measured


def that_run(
    makers: Mapping[str, Callable[[], Callable[[], T]]], title: str = ""
) -> tuple[dict[str, Callable[[], T]], dict[str, str]]:
    """The contenders that work here, each made and called once to warm up, and why each of the others does not.

    Args:
        makers: by name; a call makes the contender.
        title: of the progress bar, on stderr.

    Returns:
        The contenders that ran, and for the others "skipped: …" with the first line of the error.
    """
    ready: dict[str, Callable[[], T]] = {}
    skipped: dict[str, str] = {}
    for name, make in tqdm(makers.items(), desc=title, leave=False):
        try:
            ready[name] = make()
            ready[name]()  # allocates, compiles and fails
        except CANNOT_RUN as error:
            ready.pop(name, None)
            skipped[name] = f"skipped: {(str(error).strip() or type(error).__name__).splitlines()[0][:80]}"
    return ready, skipped


def stopwatch(function: Callable[[], object], device: torch.device = CPU, at_least: float = 0.0) -> Callable[[], float]:
    """A contender that measures the seconds of one call of a function.

    Args:
        function: what is timed.
        device: what it runs on; its work is waited for.
        at_least: about how many seconds a turn takes: a quick function, which is called once now to see how quick it
            is, is called several times in it.
    """
    repeats = max(1, round(at_least / max(seconds(function, device), 1e-9))) if at_least else 1
    return lambda: seconds(function, device, repeats)


def seconds(function: Callable[[], object], device: torch.device, repeats: int = 1) -> float:
    """The seconds of one call, the mean over some; what the device still has to do is waited for.

    Args:
        function: what is timed.
        device: what it runs on.
        repeats: calls, one after the other.
    """
    synchronize(device)
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    synchronize(device)
    return (time.perf_counter() - started) / repeats


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median over the rounds of one figure over another of the same round.

    Args:
        above: a figure for each round.
        below: another for each round.
    """
    return statistics.median(a / b for a, b in zip(above, below, strict=True))
