"""The time of training alone: evaluations, compilation and what comes before the first step are taken apart."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from torch import Tensor

from minigpt.text import TokenDataset
from minigpt.training.report.history import StepRow

Seconds = Callable[[], float]  # a clock
STARTING = 3  # steps in which a model is compiled, and memory is allocated


class CurvePoint(NamedTuple):
    """A validation loss on the way.

    Attributes:
        step: updates so far.
        seconds: of training so far.
        loss: nats per character over the whole validation split.
    """

    step: int
    seconds: float
    loss: float


class TimedSplit(TokenDataset):
    """A validation split that knows how long it was read, which is how long the model was evaluated on it.

    Attributes:
        clock: returns seconds.
        seconds: of all evaluations so far.
    """

    clock: Seconds = staticmethod(time.perf_counter)
    seconds: float = 0.0

    @classmethod
    def of(cls, split: TokenDataset, clock: Seconds) -> Self:
        """The same split, timed.

        Args:
            split: to evaluate on.
            clock: returns seconds.
        """
        timed = cls(split.shards, split.context_length, vocab_size=split.vocab_size)
        timed.clock = clock
        return timed

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """As that of any :class:`~minigpt.TokenDataset`; the time until the last window was used is an evaluation's."""
        started = self.clock()
        yield from super().windows(batch_size)
        self.seconds += self.clock() - started


@dataclass
class StepTimes:
    """The seconds of each step of a run, and the losses on the way.

    Attributes:
        steps: seconds of each, without evaluations.
        losses: numbers of updates, each with the validation loss after them.
    """

    steps: list[float] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)

    @property
    def compile_seconds(self) -> float:
        """What the first three steps took beyond as many of the median: compilation, and the first use of memory."""
        if len(self.steps) <= STARTING:
            return 0.0
        usual = statistics.median(self.steps)
        return sum(max(0.0, each - usual) for each in self.steps[:STARTING])

    @property
    def seconds(self) -> float:
        """Seconds of training, without compilation."""
        return sum(self.steps) - self.compile_seconds

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """The validation losses and when they were reached."""
        compiled = self.compile_seconds
        return tuple(CurvePoint(n, max(0.0, sum(self.steps[:n]) - compiled), loss) for n, loss in self.losses)


class Stopwatch:
    """A logger that takes the time of each step without the evaluation after it.

    Args:
        held_out: what the model is evaluated on.
        clock: returns seconds; it runs from here on.
    """

    def __init__(self, held_out: TimedSplit, clock: Seconds) -> None:
        self.held_out, self.clock, self.times = held_out, clock, StepTimes()
        self._before = self._now()

    def _now(self) -> float:
        """Seconds on a clock that stands still while the model is evaluated."""
        return self.clock() - self.held_out.seconds

    def log(self, row: StepRow) -> None:
        """Take the time of a step."""
        now = self._now()
        self.times.steps.append(now - self._before)
        self._before = now
        if "validation_loss" in row:
            self.times.losses.append((len(self.times.steps), row["validation_loss"]))

    def close(self) -> None:
        """The run is over."""
