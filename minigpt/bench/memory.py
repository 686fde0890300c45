r"""What attention and a training step need in memory: measured, beside peers and beside the prediction.

The formula keeps T × T weights, so its memory is quadratic in the length; PyTorch's kernels, as ours, keep a number a
row. The exponent is measured: the slope p of the line through the points $(\log T, \log\text{bytes})$.

Dimensions: T positions, E head width.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from minigpt.bench.allocation import peak_allocation
from minigpt.bench.reports import aligned, machine_line
from minigpt.bench.steps import Shape, Step, our_step, peer_step
from minigpt.bench.training import SHAPES
from minigpt.bench.turns import CPU, that_run
from minigpt.bench.words import MEMORY_HEAD, MEMORY_LEGEND, MEMORY_TITLE, STEP_HEAD
from minigpt.cost import StepPlan, predict_memory
from minigpt.model import ATTENTION, Pattern
from minigpt.plots import PALETTE, new_figure
from minigpt.training import TrainConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LENGTHS = (256, 512, 1024, 2048)
ATTENTIONS = ("formula", "sdpa")
STEP_SHAPES = (*SHAPES, replace(SHAPES[0], vocab_size=50257))  # the last with the vocabulary of GPT-2
_N_HEADS, _HEAD_WIDTH = 4, 64
WAYS: dict[str, dict[str, Any]] = {  # ours, by what is set; "minigpt" is the default
    "minigpt": {},
    "minigpt chunked": {"loss": "chunked"},
    "minigpt recomputed": {"activation_checkpointing": True},
}
PEER_NAME = "transformers"


class AttentionMemory(NamedTuple):
    """The memory of one attention, forward and backward.

    Attributes:
        attention: a name in :data:`minigpt.model.ATTENTION`.
        lengths: T of each measurement.
        n_bytes: the most that was alive at once beyond q, k and v.
    """

    attention: str
    lengths: tuple[int, ...]
    n_bytes: tuple[int, ...]

    @property
    def exponent(self) -> float:
        """P of bytes ~ T^p, by least squares of the logarithms."""
        return float(np.polyfit(np.log(self.lengths), np.log(self.n_bytes), 1)[0])


class StepMemoryRow(NamedTuple):
    """The memory of one training step.

    Attributes:
        shape: the model and the batch.
        contender: "minigpt", with what is set, or "transformers".
        measured: the most bytes that are alive at once, beyond weights and moments.
        ratio: to transformers' step; NaN without it.
        predicted: by :func:`minigpt.cost.predict_memory`; ``None`` for a peer.
        skipped: why it did not run; empty if it did.
    """

    shape: Shape
    contender: str
    measured: int = 0
    ratio: float = float("nan")
    predicted: int | None = None
    skipped: str = ""

    def cells(self) -> list[str]:
        """The row of the table."""
        names = [str(self.shape), self.contender]
        if self.skipped:
            return [*names, self.skipped]
        ratio = "" if isnan(self.ratio) else f"{self.ratio:.2f}"
        predicted = "" if self.predicted is None else f"{self.predicted / 2**20:,.1f} MiB"
        return [*names, f"{self.measured / 2**20:,.1f} MiB", ratio, predicted]


@dataclass(frozen=True)
class MemoryBench:
    """All measurements of one run.

    Attributes:
        machine: what they were taken on.
        attention: of each attention.
        steps: of each training step.
    """

    machine: str
    attention: list[AttentionMemory]
    steps: list[StepMemoryRow]

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them, in bytes."""
        attention = [row._asdict() | {"exponent": row.exponent} for row in self.attention]
        steps = [row._asdict() | {"shape": asdict(row.shape)} for row in self.steps]
        return {"machine": self.machine, "attention": attention, "steps": steps}

    def __str__(self) -> str:
        attention, exponent = MEMORY_HEAD.spoken().split("|")
        head = (attention, *(f"T {length:,}" for length in self.attention[0].lengths), exponent)
        rows = [
            [row.attention, *(f"{n / 2**20:,.1f} MiB" for n in row.n_bytes), f"{row.exponent:.2f}"]
            for row in self.attention
        ]
        about = MEMORY_TITLE.spoken().format(_N_HEADS, _HEAD_WIDTH)
        steps = aligned(STEP_HEAD.spoken().split("|"), [row.cells() for row in self.steps], 2)
        return "\n".join([self.machine, about, *aligned(head, rows), "", *steps, MEMORY_LEGEND.spoken()])

    def plot(self) -> "Figure":
        """Bytes over the length, both logarithmic: a power of T is a straight line.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        for row, colour in zip(self.attention, PALETTE, strict=False):
            label = f"{row.attention}: T^{row.exponent:.2f}"
            axes.plot(row.lengths, [n / 2**20 for n in row.n_bytes], "o-", color=colour, label=label)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        lengths = self.attention[0].lengths
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.set(xlabel="T (positions)", ylabel="attention, forward and backward, MiB")
        axes.legend(frameon=False)
        return figure


def measure_memory(
    lengths: tuple[int, ...] = (), shapes: Sequence[Shape] = STEP_SHAPES, *, device: torch.device = CPU
) -> MemoryBench:
    """Measure the memory of attention at some lengths, and of training steps beside transformers' and the prediction.

    Args:
        lengths: T, at least two; some up to 2,048, unless given.
        shapes: of the steps.
        device: where; the prediction is of a CPU.

    Raises:
        ValueError: if there are fewer than two lengths, which have no exponent.
    """
    lengths = lengths or LENGTHS
    if len(set(lengths)) < 2:
        raise ValueError(f"got lengths {lengths}; give at least two, such as 256 and 1024, to fit an exponent to")
    grid = [(name, length) for name in ATTENTIONS for length in lengths]
    sizes = {(name, t): _attention_bytes(name, t, device) for name, t in tqdm(grid, "attention memory", leave=False)}
    attention = [
        AttentionMemory(name, lengths, tuple(sizes[name, length] for length in lengths)) for name in ATTENTIONS
    ]
    steps = [row for shape in shapes for row in _measure_step_memory(shape, device)]
    return MemoryBench(machine_line(device), attention, steps)


def _attention_bytes(name: str, length: int, device: torch.device) -> int:
    q, k, v = (torch.randn(1, _N_HEADS, length, _HEAD_WIDTH, device=device, requires_grad=True) for _ in range(3))
    do = torch.ones_like(q)

    def run() -> object:
        return torch.autograd.grad(ATTENTION[name](q, k, v, Pattern()), (q, k, v), do)

    run()
    return peak_allocation(run, device)


def _measure_step_memory(shape: Shape, device: torch.device) -> list[StepMemoryRow]:
    ids = torch.randint(0, shape.vocab_size, (shape.batch_size, shape.n_positions))

    def maker(make: Callable[[], Step]) -> Callable[[], object]:
        return partial(make(), ids, ids)

    makers: dict[str, Callable[[], Step]] = {
        name: partial(our_step, shape.config, TrainConfig(device=str(device), **way)) for name, way in WAYS.items()
    }
    makers[PEER_NAME] = partial(peer_step, shape.config, device=device)
    runs, skipped = that_run({name: partial(maker, make) for name, make in makers.items()}, str(shape))
    measured = {name: peak_allocation(run, device) for name, run in runs.items()}
    return [
        StepMemoryRow(shape, name, skipped=skipped[name])
        if name in skipped
        else StepMemoryRow(
            shape,
            name,
            measured[name],
            measured[name] / measured.get(PEER_NAME, float("nan")),
            _predicted(shape, WAYS[name]) if name in WAYS else None,
        )
        for name in makers
    ]


def _predicted(shape: Shape, way: dict[str, Any]) -> int:
    """The bytes of the step that :mod:`minigpt.cost` predicts, weights and moments apart."""
    plan = StepPlan(
        n_positions=shape.n_positions,
        loss=way.get("loss", "logits"),
        recomputed=way.get("activation_checkpointing", False),
    )
    memory = predict_memory(shape.config, plan)
    return memory.gradients + memory.working(shape.batch_size)
