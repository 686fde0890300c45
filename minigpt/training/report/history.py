"""What happened in a run, step by step: kept in memory, in a log file, and shown as a curve."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from minigpt.files.atomic import explain_full_disk, write_atomically
from minigpt.files.json_object import parse_object
from minigpt.files.paths import as_path
from minigpt.files.plain import read_plain
from minigpt.plots import BLUE, GREY, ORANGE, new_figure, smooth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from minigpt.training.config import TrainConfig

StepRow = dict[str, float]  # the figures of one step by name


def _line(row: StepRow) -> str:
    return json.dumps(row) + "\n"


def is_row(row: Mapping[str, Any]) -> bool:
    """Whether an object of a log has a step and a loss, and its losses are numbers.

    Args:
        row: as it was read.
    """
    return type(row.get("step")) is int and all(map(_is_number, (row.get("loss"), row.get("validation_loss", 0.0))))


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < 2**53)


class History:
    """One row a step: ``step``, ``loss`` (nats per token), ``learning_rate``, ``gradient_norm``, ``tokens_per_second``.

    A row has ``validation_loss`` too (nats per token, over the whole validation split) where the model was evaluated;
    there also ``floor``, the least expected validation loss, where it is known, and ``epochs``, the passes over a text
    so far. It has ``skipped`` where the step left the weights as they were, and in float16 ``loss_scale``, that of the
    next step. With experts it has ``balance_loss``, the load-balancing loss of the last micro-batch of the first
    process, mean over the layers: it is ``n_active_experts`` where all experts get as many tokens, and higher where a
    few get most.

    Attributes:
        config: how the run was trained, with what stood for "auto" on this machine; ``None`` where nobody knows it, as
            of a log file that was read.

    Args:
        rows: the rows so far.
        path: a JSONL file that takes each new row as a line; ``None`` for none.
        floor: the least expected validation loss, in nats per token; ``None`` where nobody knows it.
    """

    def __init__(
        self, rows: list[StepRow] | None = None, path: Path | None = None, *, floor: float | None = None
    ) -> None:
        self.rows, self.floor, self._path = [] if rows is None else rows, floor, path
        self.config: TrainConfig | None = None
        self._file = None
        if path is not None:
            write_atomically(path, "".join(map(_line, self.rows)).encode())
            self._file = path.open("ab", buffering=0)

    @classmethod
    def read(cls, path: Path | str, *, before: int | None = None) -> Self:
        """The rows of a log file; a line cut off by a crash is passed over.

        Args:
            path: of the file.
            before: rows of later steps are left out, and so are lines that are not rows; ``None`` takes every line.

        Raises:
            ValueError: if it is missing, is not a plain file, or can't be read.
        """
        rows = []
        for line in read_plain(as_path(path, "path"), str(path)).splitlines():
            with suppress(ValueError, TypeError, KeyError):  # a crash or a full disk may have cut a line
                row = parse_object(line, str(path))
                if before is None or (is_row(row) and row["step"] < before):
                    rows.append(row)
        return cls(rows)

    def append(self, row: StepRow) -> None:
        """Add one step."""
        self.rows.append(row)
        if self._file is not None:
            with explain_full_disk(f"step {row['step']} was not logged in {self._path}; free some space and resume"):
                self._file.write(_line(row).encode())

    def close(self) -> None:
        """Close the log file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def column(self, name: str) -> tuple[list[int], list[float]]:
        """The steps that have a value of this name, and the values."""
        rows = [row for row in self.rows if name in row]
        return [int(row["step"]) for row in rows], [row[name] for row in rows]

    @property
    def validation_loss(self) -> float | None:
        """The last validation loss, in nats per token; ``None`` if there was none."""
        values = self.column("validation_loss")[1]
        return values[-1] if values else None

    def plot(self, *, uniform: float | None = None, floor: float | None = None, title: str | None = None) -> "Figure":
        """The loss against the steps, as a matplotlib figure.

        Args:
            uniform: the loss of guessing, log(vocab_size), drawn as a line; in nats per token.
            floor: drawn as a line instead of the history's own floor; in nats per token.
            title: above the figure.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        steps, losses = self.column("loss")
        axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(steps, smooth(losses), color=BLUE, label="training, smoothed")
        steps, losses = self.column("validation_loss")
        if steps:
            label = f"validation, whole split: {losses[-1]:.3f}"
            axes.plot(steps, losses, "o-", color=ORANGE, markersize=4, label=label)
        if uniform is not None:
            axes.axhline(uniform, color=GREY, linestyle=":", label=f"guessing: {uniform:.3f}")
        if (floor := self.floor if floor is None else floor) is not None:
            axes.axhline(floor, color="black", linestyle=":", label=f"floor: {floor:.3f}")
        axes.set(xlabel="step", ylabel="loss (nats per token)", title=title or "")
        axes.legend(frameon=False)
        return figure

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        if not self.rows:
            return "History(no steps)"
        last = self.rows[-1]
        validation = "" if self.validation_loss is None else f", validation {self.validation_loss:.4f}"
        return f"History({len(self)} steps, loss {self.rows[0]['loss']:.4f} → {last['loss']:.4f}{validation})"
