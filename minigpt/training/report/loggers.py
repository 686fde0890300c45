"""Where the rows of a run may go besides its ``log.jsonl``: TensorBoard, a live plot, or a logger of your own."""

import importlib.util
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from minigpt.training.report.history import History, StepRow


class Logger(Protocol):
    """What :func:`minigpt.train` hands the rows of its history to."""

    def log(self, row: StepRow) -> None:
        """Take one step; the row is that of :class:`~minigpt.History`."""

    def close(self) -> None:
        """The run is over, whether it was finished, stopped or broken off."""


class Loggers:
    """Several loggers as one."""

    def __init__(self, loggers: Iterable[Logger]) -> None:
        self.loggers = list(loggers)

    def log(self, row: StepRow) -> None:
        """Hand the row to each."""
        for logger in self.loggers:
            logger.log(row)

    def close(self) -> None:
        """Close each."""
        for logger in self.loggers:
            logger.close()


class TensorBoardLogger:
    """Writes each figure of a row as a scalar; ``tensorboard --logdir runs`` shows the runs beside each other.

    Args:
        folder: takes the event files; a resumed run replaces the steps that it does again.

    Raises:
        ImportError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path | str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ImportError('this needs TensorBoard: pip install "minigpt-as-written[log]"') from None
        self.folder, self._open = Path(folder), SummaryWriter
        self._writer: Any = None

    def log(self, row: StepRow) -> None:
        """Write one step."""
        step = int(row["step"])
        if self._writer is None:
            self._writer = self._open(str(self.folder), purge_step=step)
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()


class LivePlot:
    """The loss curve below a notebook's cell, drawn anew every few seconds; nothing outside notebooks
    or without matplotlib, where the lines of :class:`~minigpt.training.report.progress.Progress` are enough.

    Args:
        seconds: between two drawings.
        options: those of :meth:`minigpt.History.plot`, such as ``floor`` and ``uniform``.
    """

    def __init__(self, *, seconds: float = 3.0, **options: Any) -> None:
        self.seconds, self.options = seconds, options
        self.history, self._handle, self._drawn = History(), None, 0.0

    def log(self, row: StepRow) -> None:
        """Take one step, and draw if it is time."""
        self.history.append(row)
        if time.monotonic() - self._drawn >= self.seconds:
            self._draw()

    def close(self) -> None:
        """Draw the whole run."""
        if self.history.rows:
            self._draw()

    def _draw(self) -> None:
        if not in_notebook() or importlib.util.find_spec("matplotlib") is None:
            return
        from IPython.display import display

        figure, self._drawn = self.history.plot(**self.options), time.monotonic()
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)


def in_notebook() -> bool:
    """Whether this is a notebook's kernel, which can show pictures."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
