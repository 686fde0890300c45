"""How the cost of a training step grows with each of its sizes: what twice the context costs, or twice the width.

One size at a time is doubled, the others stay: the context, the width (with as many more heads), the depth, the batch,
the vocabulary, and the devices, each of which then has a batch of its own. :func:`predict_growth` computes what each
step takes on named hardware or on a measured machine; :func:`minigpt.bench.measure_growth` measures it here, too.

What devices send to each other is counted in bytes. On named hardware no time is added for it: the MFU of published
trainings, most of them on many devices, includes it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from minigpt.cost.estimates import Estimate, estimate
from minigpt.cost.hardware import DEFAULT_MFU, Cluster, parse_hardware
from minigpt.cost.machine import Machine
from minigpt.cost.memory import StepPlan
from minigpt.cost.parallelism import data_parallel_bytes
from minigpt.cost.units import shown_bytes, shown_count, shown_seconds
from minigpt.model import GPTConfig
from minigpt.plots import PALETTE, new_figure
from minigpt.settings import check_choice, counted
from minigpt.settings.language import Bilingual, columns_of, language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FACTORS = (1, 2, 4, 8)
_HEADS = Bilingual("size value FLOPs memory sent predicted measured error", "规模 取值 FLOPs 内存 发送 预测 实测 误差")
_COLUMNS = (15, 8, 8, 9, 9, 9, 9, 7)
_BASE = Bilingual(
    "a step of {} × {}, context {:,}, vocabulary {:,}, {} a device, on {}",
    "一步训练：{} × {}，上下文 {:,}，词表 {:,}，每个设备 {} 个序列，硬件 {}",
)
_LEGEND = Bilingual(
    "FLOPs, memory, sent (gradients): of one step in each device",
    "FLOPs、内存、发送（梯度）：每个设备一步的量",
)
_AT_MFU = Bilingual("predicted: at {:.3g}% of the {} peak (--mfu)", "预测：按达到 {1} 峰值的 {0:.3g}% 计算（--mfu）")
_FROM_PARTS = Bilingual("predicted: from the measured times of its parts", "预测：由实测的各部分时间推算")


@dataclass(frozen=True, kw_only=True)
class StepSize:
    """All that the cost of a training step depends on.

    Attributes:
        config: the model's shape; sequences are as long as its context.
        n_sequences: b, of each device.
        n_devices: each holds the whole model (DDP).
    """

    config: GPTConfig
    n_sequences: int = 1
    n_devices: int = 1

    def grown(self, axis: str, factor: int) -> "StepSize":
        """The same step with one size multiplied.

        Args:
            axis: a key of :data:`STEP_SIZES`.
            factor: at least 1.
        """
        check_choice("axis", axis, STEP_SIZES)
        if factor < 1:
            raise ValueError(f"factor={factor} must be at least 1; give the smallest step as the base")
        return STEP_SIZES[axis](self, factor)

    def value(self, axis: str) -> int:
        """How large one of the sizes is."""
        return int(getattr(self.config, axis) if hasattr(self.config, axis) else getattr(self, axis))


def _config_times(name: str) -> Callable[[StepSize, int], StepSize]:
    def grown(size: StepSize, factor: int) -> StepSize:
        return replace(size, config=replace(size.config, **{name: factor * getattr(size.config, name)}))

    return grown


def _wider(size: StepSize, factor: int) -> StepSize:
    """Heads keep their width, so there are more of them."""
    names = ("d_model", "n_heads", "n_kv_heads", "d_hidden")
    given = {name: getattr(size.config, name) for name in names}
    wider = {name: factor * value for name, value in given.items() if value is not None}
    return replace(size, config=replace(size.config, **wider))


#: What can be multiplied, and how.
STEP_SIZES: dict[str, Callable[[StepSize, int], StepSize]] = {
    "context_length": _config_times("context_length"),
    "d_model": _wider,
    "n_layers": _config_times("n_layers"),
    "n_sequences": lambda size, factor: replace(size, n_sequences=factor * size.n_sequences),
    "vocab_size": _config_times("vocab_size"),
    "n_devices": lambda size, factor: replace(size, n_devices=factor * size.n_devices),
}


@dataclass(frozen=True, kw_only=True)
class GrowthRow:
    """One step.

    Attributes:
        axis: the size that was multiplied.
        factor: by what.
        size: of the step.
        estimate: operations and memory of one device.
        sent: bytes that each device sends to add up the gradients.
        seconds: predicted.
        measured: seconds; ``None`` where nothing was measured.
    """

    axis: str
    factor: int
    size: StepSize
    estimate: Estimate
    sent: float
    seconds: float
    measured: float | None = None

    @property
    def error(self) -> float | None:
        """Of the prediction, as a share of what was measured; 0 where nothing was measured but the base."""
        return None if self.measured is None else self.seconds / self.measured - 1


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The cost of a step for every size, one size at a time.

    Attributes:
        base: the smallest step.
        on: the hardware.
        rows: axis by axis, the base first.
        mfu: share of the peak that named hardware reaches.
    """

    base: StepSize
    on: Cluster | Machine
    rows: tuple[GrowthRow, ...]
    mfu: float = DEFAULT_MFU

    def largest_error(self) -> float | None:
        """Of the predictions that could be checked, without its sign; ``None`` if there is none."""
        errors = [abs(row.error) for row in self.rows if row.error is not None and row.factor > 1]
        return max(errors, default=None)

    def to_object(self) -> dict[str, Any]:
        """The figures as what JSON can hold: operations, bytes and seconds of one step in one device."""
        return {
            "on": str(self.on),
            "rows": [
                {
                    "axis": row.axis,
                    "value": row.size.value(row.axis),
                    "flops": row.estimate.training_flops,
                    "memory": row.estimate.memory,
                    "sent": row.sent,
                    "seconds": row.seconds,
                    "measured": row.measured,
                }
                for row in self.rows
            ],
        }

    def __str__(self) -> str:
        config, lang = self.base.config, language()
        shape = (config.n_layers, config.d_model, config.context_length, config.vocab_size)
        heads = _HEADS.spoken().split()
        shown = range(len(heads)) if self.largest_error() is not None else range(len(heads) - 2)
        lines = [[heads[i] for i in shown]]
        for row in self.rows:
            cells = [row.axis if row.factor == 1 else "", f"{row.size.value(row.axis):,}"]
            cells += [shown_count(row.estimate.training_flops), shown_bytes(row.estimate.memory), shown_bytes(row.sent)]
            cells += [shown_seconds(row.seconds, lang)]
            cells += ["" if row.measured is None else shown_seconds(row.measured, lang)]
            cells += ["" if row.error is None or row.factor == 1 else f"{row.error:+.0%}"]
            lines.append([cells[i] for i in shown])
        n_sequences = counted(self.base.n_sequences, "sequence") if lang == "en" else self.base.n_sequences
        title = _BASE.spoken().format(*shape, n_sequences, self.on)
        about_time = _FROM_PARTS.spoken()
        if isinstance(self.on, Cluster):
            about_time = _AT_MFU.spoken().format(100 * self.mfu, self.on.device.precision)
        return "\n".join([title, *(_in_columns(line) for line in lines), _LEGEND.spoken(), about_time])

    def plot(self) -> "Figure":
        """Seconds of a step over what each size was multiplied by: lines are predicted, dots measured."""
        figure, (axes,) = new_figure()
        for colour, axis in zip(PALETTE, dict.fromkeys(row.axis for row in self.rows), strict=False):
            rows = [row for row in self.rows if row.axis == axis]
            axes.plot([row.factor for row in rows], [row.seconds for row in rows], color=colour, label=axis)
            dots = [(row.factor, row.measured) for row in rows if row.measured is not None]
            axes.plot([x for x, _ in dots], [y for _, y in dots], "o", color=colour)
        factors = sorted({row.factor for row in self.rows})
        axes.set(xscale="log", yscale="log", xlabel="times the size of the smallest step", ylabel="seconds of a step")
        axes.set_xticks(factors, [f"{factor}×" for factor in factors])
        axes.minorticks_off()
        axes.legend(frameon=False)
        return figure


def _in_columns(cells: list[str]) -> str:
    padded = (cell + " " * max(1, width - columns_of(cell)) for cell, width in zip(cells, _COLUMNS, strict=False))
    return "".join(padded).rstrip()


def predict_growth(
    base: StepSize,
    on: Cluster | Machine | str,
    *,
    axes: Iterable[str] = tuple(STEP_SIZES),
    factors: Iterable[int] = FACTORS,
    mfu: float | None = None,
) -> Growth:
    """What a step takes as each of its sizes grows, by arithmetic.

    Args:
        base: the smallest step.
        on: the kind of device by name, such as ``"H100"``, or a machine that was measured; with a count, as in
            ``"8xH100"``, the smallest step has as many devices.
        axes: keys of :data:`STEP_SIZES`.
        factors: what each size is multiplied by; 1 is always among them.
        mfu: share of the peak that named hardware reaches; ``None``: the default of :func:`estimate`.

    Raises:
        ValueError: if the hardware or an axis is unknown, or a size becomes too large.
    """
    hardware = parse_hardware(on) if isinstance(on, str) else on
    device = hardware
    if isinstance(hardware, Cluster):
        device = replace(hardware, count=1)
        base = replace(base, n_devices=base.n_devices * hardware.count)
    each = sorted({1, *factors})
    rows = [_row(base, axis, factor, device, mfu) for axis in axes for factor in each]
    return Growth(base=base, on=hardware, rows=tuple(rows), mfu=DEFAULT_MFU if mfu is None else mfu)


def _row(base: StepSize, axis: str, factor: int, device: Cluster | Machine, mfu: float | None) -> GrowthRow:
    size = base.grown(axis, factor)
    n_positions = size.config.context_length
    precision = device.device.precision if isinstance(device, Cluster) else "fp32"
    plan = StepPlan(n_positions=n_positions, n_sequences=size.n_sequences, precision=precision)
    made = estimate(size.config, size.n_sequences * n_positions, device, plan=plan, mfu=mfu)
    assert made.seconds is not None
    sent = data_parallel_bytes(made.parameters, size.n_devices)["ddp"]
    return GrowthRow(axis=axis, factor=factor, size=size, estimate=made, sent=sent, seconds=made.seconds)
