"""What the reports of all benchmarks share: the machine in a line, aligned tables, bars beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from minigpt.limits import usable_cores
from minigpt.plots import PALETTE, new_figure
from minigpt.settings import counted
from minigpt.settings.language import columns_of, filled
from minigpt.training.processes.hardware import cpu_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Measurement(Protocol):
    """A report: printed as a table, as JSON or as a picture."""

    def __str__(self) -> str: ...

    def to_json(self) -> dict[str, Any]:
        """The figures, in units without prefix: seconds, bytes, operations per second."""
        ...

    def plot(self) -> "Figure":
        """The figures as a picture."""
        ...


def machine_line(device: torch.device) -> str:
    """What a figure was measured on: the device, its cores and threads if it is a CPU, and PyTorch.

    Args:
        device: where the contenders ran.
    """
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    cores, threads = counted(usable_cores(), "core"), counted(torch.get_num_threads(), "thread")
    return f"{cpu_name()}, {cores}, {threads}, torch {torch.__version__}"


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], n_names: int = 1) -> list[str]:
    """The lines of a table whose columns are as wide as they need to be.

    Args:
        head: the title of each column.
        rows: the cells of each row; one that is shorter than the head ends with words that need no column.
        n_names: how many columns, from the left, hold names; the others hold numbers and are aligned on the right.
    """
    full = [head, *(row for row in rows if len(row) == len(head))]
    named = [row[:n_names] for row in (head, *rows)]
    widths = [max(columns_of(row[i]) for row in (named if i < n_names else full)) for i in range(len(head))]
    return ["  ".join(_cells(row, widths, n_names)).rstrip() for row in (head, *rows)]


def _cells(row: Sequence[str], widths: Sequence[int], n_names: int) -> Iterator[str]:
    for i, cell in enumerate(row):
        is_words = i < n_names or len(row) < len(widths)
        yield filled(cell, widths[i], "right" if is_words else "left")


def bar_chart(groups: Mapping[str, Mapping[str, float]], label: str, limit: float | None = None) -> "Figure":
    """Bars beside each other, in groups; a name has the same colour in each.

    Args:
        groups: from the title of a group to its bars: a number for each name.
        label: of the axis of the numbers.
        limit: where a dotted line stands, such as the 1 of a ratio; ``None`` draws none.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, (axes,) = new_figure()
    names = list(dict.fromkeys(name for bars in groups.values() for name in bars))
    width = 0.8 / max(1, len(names))
    for i, name in enumerate(names):
        places = [at + (i - (len(names) - 1) / 2) * width for at, bars in enumerate(groups.values()) if name in bars]
        heights = [bars[name] for bars in groups.values() if name in bars]
        shade = 0.5 ** (i // len(PALETTE))  # more names than colours: paler each time
        axes.bar(places, heights, width, color=PALETTE[i % len(PALETTE)], alpha=shade, label=name)
    if limit is not None:
        axes.axhline(limit, color="black", linestyle=":")
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize=7)
    return figure
