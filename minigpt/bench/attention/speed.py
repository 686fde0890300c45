"""Attention's speed, forward and backward: our Triton kernel beside PyTorch's own, FlexAttention and the formula.

The limit of each is its roofline: the peak of the device, or what its memory can bring.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from minigpt.bench.attention.contenders import CONTENDERS, Attention
from minigpt.bench.attention.setting import Setting, settings
from minigpt.bench.peaks import Peak, peak_of
from minigpt.bench.reports import machine_line
from minigpt.bench.turns import synchronize, take_turns, that_run
from minigpt.bench.words import AT_MOST, ATTENTION_HEAD, ATTENTION_LEGEND
from minigpt.plots import PALETTE, mean_by_x, new_figure
from minigpt.settings.language import filled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_COLUMNS = ((8, "right"), (10, "right"), (10, "right"), (10, "left"), (10, "left"), (16, "left"), (8, "left"))


class Measured(NamedTuple):
    """What one contender did in one setting.

    Attributes:
        setting: the problem.
        name: the contender.
        times: seconds forward and backward, the medians.
        skipped: why it did not run; empty if it did.
    """

    setting: Setting
    name: str
    times: tuple[float, float] = (0.0, 0.0)
    skipped: str = ""

    @property
    def rates(self) -> tuple[float, float]:
        """Operations per second, forward and backward."""
        forward, backward = (flops / time for flops, time in zip(self.setting.flops, self.times, strict=True))
        return forward, backward


@dataclass(frozen=True)
class AttentionBench:
    """All measurements of one run.

    Attributes:
        device: what they were taken on, "cpu" or "cuda".
        machine: the same in words.
        peaks: its limits in each dtype.
        rows: the measurements, setting by setting.
    """

    device: str
    machine: str
    peaks: dict[torch.dtype, Peak]
    rows: list[Measured]

    @property
    def unit(self) -> tuple[str, float]:
        """What rates are shown in, and its operations per second."""
        return ("TFLOP/s", 1e12) if self.device != "cpu" else ("GFLOP/s", 1e9)

    def roofline(self, setting: Setting) -> tuple[float, float]:
        """The most operations per second, forward and backward."""
        peak = self.peaks[setting.dtype]
        forward, backward = (peak.roofline(*each) for each in zip(setting.flops, setting.n_bytes, strict=True))
        return forward, backward

    def __str__(self) -> str:
        unit, factor = self.unit
        lines = [self.machine]
        for dtype, peak in self.peaks.items():
            bandwidth = f"{peak.bandwidth / 1e9:,.0f} GB/s"
            limits = (str(dtype)[6:], peak.flops / factor, unit, bandwidth, peak.source)
            lines.append(AT_MOST.spoken().format(*limits))
        heads = zip(ATTENTION_HEAD.spoken().split("|"), _COLUMNS, strict=True)
        lines += ["", f"{'T':>6}{'E':>5}  {''.join(filled(head, *where) for head, where in heads)}"]
        for row in self.rows:
            lines.append(f"{row.setting}{row.name:10}{row.skipped or self._figures(row, factor)}")
        return "\n".join([*lines, ATTENTION_LEGEND.spoken().format(unit)])

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them: device, machine, peaks, and a row for each setting and contender.

        Times are in seconds, rates in operations per second; what did not run has ``skipped``, and no figures.
        """
        peaks = {str(dtype).removeprefix("torch."): asdict(peak) for dtype, peak in self.peaks.items()}
        rows = [{**self._about(row), **self._numbers(row)} for row in self.rows]
        return {"device": self.device, "machine": self.machine, "peaks": peaks, "rows": rows}

    def _about(self, row: Measured) -> dict[str, Any]:
        setting = asdict(row.setting) | {"dtype": str(row.setting.dtype).removeprefix("torch.")}
        return {**setting, "attention": row.name, "skipped": row.skipped or None}

    def _numbers(self, row: Measured) -> dict[str, Any]:
        if row.skipped:
            return {}
        figures = zip(row.times, row.rates, self._shares(row), strict=True)
        passes = [dict(zip(("seconds", "flops_per_second", "of_roofline"), each, strict=True)) for each in figures]
        return {"forward": passes[0], "backward": passes[1], "ratio": self._ratio(row)}

    def _figures(self, row: Measured, factor: float) -> str:
        rates, shares = row.rates, "".join(f"{share:8.0%}" for share in self._shares(row))
        return f"{rates[0] / factor:10.1f}{rates[1] / factor:10.1f}{shares}{self._ratio(row):8.2f}"

    def _shares(self, row: Measured) -> list[float]:
        return [rate / limit for rate, limit in zip(row.rates, self.roofline(row.setting), strict=True)]

    def _ratio(self, row: Measured) -> float:
        """The time of both passes of the first contender that ran at this setting, over this one's."""
        first = next(other for other in self.rows if other.setting == row.setting and not other.skipped)
        return sum(first.times) / sum(row.times)

    def plot(self) -> "Figure":
        """Operations per second over the length, a line for each contender, below the roofline; backward apart.

        A line is the mean over the dtypes, head widths and masks that the contender ran at that length.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, both = new_figure(2)
        unit, factor = self.unit
        ran = [row for row in self.rows if not row.skipped]
        names = list(dict.fromkeys(row.name for row in ran))
        for i, axes in enumerate(both):
            for name, colour in zip(names, PALETTE, strict=False):
                of_name = [row for row in ran if row.name == name]
                rates = mean_by_x([(row.setting.n_positions, row.rates[i] / factor) for row in of_name])
                axes.plot(*rates, "o-", color=colour, markersize=4, label=name)
            limits = mean_by_x([(row.setting.n_positions, self.roofline(row.setting)[i] / factor) for row in ran])
            axes.plot(*limits, ":", color="black", label="roofline")
            axes.set_xscale("log", base=2)
            axes.set_xticks(limits[0], [f"{length:,}" for length in limits[0]])
            axes.set(xlabel="T (positions)", title=("forward", "backward")[i], ylim=(0, None))
        both[0].set_ylabel(unit)
        both[1].legend(frameon=False)
        return figure


def measure_attention(
    device: torch.device, lengths: tuple[int, ...] = (), rounds: int = 9, dtypes: tuple[torch.dtype, ...] = ()
) -> AttentionBench:
    """Measure every contender in every setting, in turn.

    Args:
        device: where: "cuda" or "cpu".
        lengths: T, in positions; by default a few that suit the device.
        rounds: how often each is timed; the median counts.
        dtypes: those of the device's that are measured; all of them by default.

    Raises:
        ValueError: if a length or ``rounds`` is below 1, or there are no contenders on the device.
    """
    if device.type not in CONTENDERS:
        raise ValueError(f"no contenders for device {device.type!r}; expected one of {', '.join(CONTENDERS)}")
    if rounds < 1 or any(t < 1 for t in lengths):
        raise ValueError(f"got lengths {lengths} and rounds={rounds}; expected at least 1")
    every = [setting for setting in settings(device, lengths) if not dtypes or setting.dtype in dtypes]
    peaks = {dtype: peak_of(device, dtype) for dtype in dict.fromkeys(setting.dtype for setting in every)}
    rows = [row for setting in tqdm(every, "attention", leave=False) for row in measure(setting, device, rounds)]
    return AttentionBench(device.type, machine_line(device), peaks, rows)


def measure(setting: Setting, device: torch.device, rounds: int) -> Iterator[Measured]:
    """Each contender's times; one that cannot run says why."""
    tensors = setting.draw(device)

    def contender(name: str) -> Callable[[], tuple[float, float]]:
        _check_memory(name, setting, device)
        run = CONTENDERS[device.type][name](setting, device)
        return lambda: _times(run, *tensors)

    runs, skipped = that_run({name: partial(contender, name) for name in CONTENDERS[device.type]})
    times = take_turns(runs, rounds)
    for name in CONTENDERS[device.type]:
        if name in skipped:
            yield Measured(setting, name, skipped=skipped[name])
        else:
            forward, backward = (statistics.median(column) for column in zip(*times[name], strict=True))
            yield Measured(setting, name, (forward, backward))


def _check_memory(name: str, setting: Setting, device: torch.device) -> None:
    """Refuse the formula where its weights, of which it needs several at once, would fill the memory."""
    if name == "formula" and device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if 6 * setting.weight_bytes > free:
            raise ValueError(f"its weights take {setting.weight_bytes / 2**30:.0f} GiB, several times over")


def _times(run: Attention, q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> tuple[float, float]:
    synchronize(q.device)
    started = time.perf_counter()
    o = run(q, k, v)
    synchronize(q.device)
    between = time.perf_counter()
    torch.autograd.grad(o, (q, k, v), do)
    synchronize(q.device)
    return between - started, time.perf_counter() - between
