"""What one sees while a model trains: a line at each evaluation; between them a bar, or where none can be drawn, lines.

A log file, a pipe or a notebook can't redraw a line. They get the line of the first step, and then one whenever nothing
was written for ten seconds.
"""

import math
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from minigpt.training.report.history import StepRow

QUIET = 10.0  # seconds without a line, where there is no bar, after which a step is reported


class Progress:
    """A bar with loss, tokens per second and the time left, or lines; it shows nothing where it is not enabled.

    Args:
        first: the step that the run starts from.
        steps: the steps in all.
        enabled: whether anything is shown.
    """

    def __init__(self, first: int, steps: int, *, enabled: bool) -> None:
        self.first, self.steps, self.enabled, self.started = first, steps, enabled, time.monotonic()
        self.written = -math.inf  # when the last line was
        hidden = not (enabled and sys.stderr.isatty())
        self.bar = tqdm(total=steps, initial=first, disable=hidden, unit="step", dynamic_ncols=True)

    def show(self, row: StepRow) -> None:
        """Take note of one step."""
        self.bar.set_postfix_str(f"loss {row['loss']:.3f}, {row['tokens_per_second']:,.0f} tokens/s", refresh=False)
        self.bar.update()
        if self.enabled and ("validation_loss" in row or self._is_quiet()):
            done = f"step {row['step'] + 1:>{len(str(self.steps))}} of {self.steps}"
            validation = f", validation {row['validation_loss']:.3f}" if "validation_loss" in row else ""
            tqdm.write(f"{done}: loss {row['loss']:.3f}{validation}{self._time_left(row)}")
            self.written = time.monotonic()

    def _is_quiet(self) -> bool:
        """Whether there is no bar, and was no line for a while."""
        return bool(self.bar.disable) and time.monotonic() - self.written >= QUIET

    def _time_left(self, row: StepRow) -> str:
        done, left = row["step"] + 1 - self.first, self.steps - row["step"] - 1
        seconds = (time.monotonic() - self.started) / done * left
        return f", {tqdm.format_interval(seconds)} left" if left else ""

    def __enter__(self) -> Self:
        if self.enabled and self.first:
            tqdm.write(f"continuing from step-{self.first:08d}: {self.first} of {self.steps} steps are done")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
