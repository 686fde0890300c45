"""The training step beside peers that everyone knows, at equal shapes, in each precision, compiled or not.

Ours, that of Hugging Face's transformers and, from a checkout, nanoGPT's take turns on the same batch. The limit of
each is what a large product of the same dtype reaches on the same machine in the same rounds. Our recipe "fast", with
Muon, is another model that learns more in a step; its line shows what such a step takes.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from minigpt.bench import words
from minigpt.bench.allocation import peak_allocation
from minigpt.bench.peaks import matmul_rate
from minigpt.bench.reports import aligned, bar_chart, machine_line
from minigpt.bench.steps import Contender, Shape, contenders_step
from minigpt.bench.turns import CPU, median_ratio, stopwatch, take_turns, that_run
from minigpt.cost.flops import training_flops_per_token
from minigpt.training.execution.precision import PRECISION_NAMES, PRECISIONS, resolve_precision
from minigpt.training.processes.allocator import keep_freed_memory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = (Shape(4, 4, 128, 64, 12), Shape(6, 6, 384, 256, 8))
GPU_SHAPES = (Shape(6, 6, 384, 256, 64), Shape(12, 12, 768, 1024, 16, 50257))
_OURS, _PEER = "minigpt", "transformers"
_TURN = 0.3  # seconds of a contender's turn, at least


class TrainingRow(NamedTuple):
    """What one contender did at one shape.

    Attributes:
        shape: the model and the batch.
        contender: who, in which precision, compiled or not.
        tokens_per_second: the median over the rounds.
        ratio: the same over that of transformers in this precision, the median of each round's; NaN without it.
        flops_per_second: 6 × matrix parameters + 6·L·D·(T+1) operations per token, over the time.
        share_of_matmul: of the operations per second of a large product of its dtype in the same rounds.
        memory: the most bytes of tensors that are alive at once in a step, beyond the weights and moments.
        skipped: why it did not run; empty if it did.
    """

    shape: Shape
    contender: Contender
    tokens_per_second: float = 0.0
    ratio: float = float("nan")
    flops_per_second: float = 0.0
    share_of_matmul: float = 0.0
    memory: int = 0
    skipped: str = ""

    def cells(self) -> list[str]:
        """The row of the table."""
        names = [str(self.shape), str(self.contender)]
        if self.skipped:
            return [*names, self.skipped]
        ratio = "" if isnan(self.ratio) else f"{self.ratio:.2f}"
        rates = [f"{self.tokens_per_second:,.0f}", ratio, f"{self.flops_per_second / 1e9:,.1f}"]
        return [*names, *rates, f"{self.share_of_matmul:.0%}", f"{self.memory / 2**20:,.1f} MiB"]


@dataclass(frozen=True)
class TrainingBench:
    """All measurements of one run.

    Attributes:
        machine: what they were taken on.
        rounds: how often each contender was timed, in turn.
        rows: the measurements, shape by shape.
    """

    machine: str
    rounds: int
    rows: list[TrainingRow]

    def best(self, shape: Shape, *, ours: bool) -> TrainingRow | None:
        """The fastest way to train a shape: of ours, the recipe "fast" apart, or of the peers; ``None`` if none ran."""
        ran = [row for row in self.rows if row.shape == shape and not row.skipped]
        of_side = [row for row in ran if row.contender.library != "minigpt fast"]
        of_side = [row for row in of_side if (row.contender.library == _OURS) == ours]
        return max(of_side, key=lambda row: row.tokens_per_second, default=None)

    def best_ratio(self, shape: Shape) -> float:
        """Tokens per second of the fastest of ours over those of the fastest of all peers; NaN where one is missing."""
        ours, peers = self.best(shape, ours=True), self.best(shape, ours=False)
        return float("nan") if ours is None or peers is None else ours.tokens_per_second / peers.tokens_per_second

    def ratio_as_they_come(self, shape: Shape) -> float:
        """The ratio of ours to transformers' where nobody chooses anything: in float32, not compiled."""
        plain = [row for row in self.rows if (row.shape, row.contender) == (shape, Contender(_OURS))]
        return plain[0].ratio if plain else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them; rates per second, memory in bytes."""
        rows = []
        for row in self.rows:
            who = row.contender._asdict()
            rows.append({**row._asdict(), **who, "contender": str(row.contender), "shape": asdict(row.shape)})
        shapes = dict.fromkeys(row.shape for row in self.rows)
        ratios = {str(s): {"best": self.best_ratio(s), "as_they_come": self.ratio_as_they_come(s)} for s in shapes}
        return {"machine": self.machine, "rounds": self.rounds, "rows": rows, "ratios": ratios}

    def __str__(self) -> str:
        table = aligned(words.TRAINING_HEAD.spoken().split("|"), [row.cells() for row in self.rows], n_names=2)
        title = words.AFTER_MACHINE.spoken().format(self.machine, words.IN_TURN.spoken().format(self.rounds))
        lines = [title, *table, words.TRAINING_LEGEND.spoken()]
        for shape in dict.fromkeys(row.shape for row in self.rows):
            ours, peer = self.best(shape, ours=True), self.best(shape, ours=False)
            plain = self.ratio_as_they_come(shape)
            told = [] if isnan(plain) else [words.AS_THEY_COME.spoken().format(plain)]
            if ours and peer:
                best = str(ours.contender), str(peer.contender), self.best_ratio(shape)
                told.append(words.BEST_OF_EACH.spoken().format(*best))
            lines += [words.OF_SHAPE.spoken().format(shape, words.BETWEEN.spoken().join(told))] * bool(told)
        return "\n".join(lines)

    def plot(self) -> "Figure":
        """Tokens per second of each contender over those of transformers as it comes, a group for each shape.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        groups: dict[str, dict[str, float]] = {}
        for row in self.rows:
            plain = [r for r in self.rows if (r.shape, r.contender) == (row.shape, Contender(_PEER))]
            if plain and not (row.skipped or plain[0].skipped):
                bars = groups.setdefault(str(row.shape), {})
                bars[str(row.contender)] = row.tokens_per_second / plain[0].tokens_per_second
        return bar_chart(groups, "tokens/s over transformers float32", limit=1.0)


def measure_training(
    rounds: int = 9,
    shapes: Sequence[Shape] = (),
    *,
    device: torch.device = CPU,
    precisions: Sequence[str] = (),
    compiled: bool = False,
    checkout: Path | None = None,
) -> TrainingBench:
    """Measure our training step beside those of the peers.

    On a CPU, freed memory stays with the process for all of them, as in our training loop: the peers gain by it, too.

    Args:
        rounds: how often each is timed, in turn; the median counts.
        shapes: what is trained; those that suit the device, unless given.
        device: where.
        precisions: "fp32", "bf16"; by default both, where the device multiplies bf16.
        compiled: whether each is measured compiled, too: the first step then takes up to minutes.
        checkout: the folder of a checkout of nanoGPT, which is then a peer as well.

    Raises:
        ValueError: if ``rounds`` is below 1, or the checkout can't be used.
    """
    if device.type == "cpu":
        keep_freed_memory()
    contenders = list(_contenders(precisions or _precisions(device), compiled, checkout))
    rows: list[TrainingRow] = []
    for shape in shapes or (GPU_SHAPES if device.type == "cuda" else SHAPES):
        if compiled:
            torch.compiler.reset()  # PyTorch keeps eight programs of one function and interprets what comes after them
        rows += measure_steps(shape, contenders, rounds, device, checkout)
    return TrainingBench(machine_line(device), rounds, rows)


def _precisions(device: torch.device) -> tuple[str, ...]:
    """float32, and bf16 where the device multiplies it."""
    return tuple(dict.fromkeys(("fp32", resolve_precision("auto", device).partition("-")[0])))


def _contenders(precisions: Sequence[str], compiled: bool, checkout: Path | None) -> Iterator[Contender]:
    """Ours in each precision that there is with these products, and the peers, as written and compiled."""
    for products, how in product(precisions, (False, True) if compiled else (False,)):
        for precision in PRECISION_NAMES:
            if precision.partition("-")[0] == products:
                yield Contender(_OURS, precision, how)
                yield Contender("minigpt fast", precision, how)
        for peer in (_PEER, *(["nanoGPT"] if checkout else [])):
            yield Contender(peer, products, how)


def measure_steps(
    shape: Shape,
    contenders: Sequence[Contender],
    rounds: int,
    device: torch.device = CPU,
    checkout: Path | None = None,
) -> Iterator[TrainingRow]:
    """The contenders' steps on one random batch, in turn.

    Args:
        shape: what is trained.
        contenders: who trains it.
        rounds: how often each is timed.
        device: where.
        checkout: the folder of nanoGPT, if it is among them.
    """
    ids = torch.randint(0, shape.vocab_size, (shape.batch_size, shape.n_positions + 1))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    configs = {}

    def maker(contender: Contender) -> Callable[[], object]:
        configs[str(contender)], step = contenders_step(contender, shape, device, checkout)
        return partial(step, inputs, targets)

    steps, skipped = that_run({str(who): partial(maker, who) for who in contenders}, f"{shape}: first steps")
    turns = {name: stopwatch(step, device, _TURN) for name, step in steps.items()}
    limits: dict[str, Callable[[], float]] = {
        who.products: partial(matmul_rate, PRECISIONS[who.products], device) for who in contenders
    }
    measured = take_turns({**limits, **turns}, rounds, str(shape))
    for who in contenders:
        name, peer = str(who), str(who._replace(library=_PEER, precision=who.products))
        if name in skipped:
            yield TrainingRow(shape, who, skipped=skipped[name])
            continue
        time = statistics.median(measured[name])
        flops = training_flops_per_token(configs[name], shape.n_positions) * inputs.numel()
        yield TrainingRow(
            shape,
            who,
            tokens_per_second=inputs.numel() / time,
            ratio=median_ratio(measured[peer], measured[name]) if peer in measured else float("nan"),
            flops_per_second=flops / time,
            share_of_matmul=flops / time / statistics.median(measured[who.products]),
            memory=peak_allocation(steps[name], device),
        )
