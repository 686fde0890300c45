"""The training step beside a peer that everyone knows.

It is measured against the GPT-2 of Hugging Face's transformers, at equal shapes, with the same batch,
clipping and AdamW, the two taking turns. The limit is what a large matrix product reaches on the same machine.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from minigpt.bench.peer import peer_model
from minigpt.cost.flops import training_flops_per_token
from minigpt.model import GPT, GPTConfig
from minigpt.text import TokenDataset
from minigpt.training import RunState, TrainConfig, accumulate_gradients
from minigpt.training.processes.distributed import ALONE, World
from minigpt.training.step import update

Step = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class Shape:
    """A model and a batch: L layers, H heads, D wide; B sequences of T tokens."""

    n_layers: int
    n_heads: int
    d_model: int
    n_positions: int
    batch_size: int

    def __str__(self) -> str:
        return f"{self.n_layers} × {self.d_model}, T {self.n_positions}, B {self.batch_size}"

    @property
    def config(self) -> GPTConfig:
        """The character-level model of this shape."""
        return GPTConfig(
            vocab_size=65,
            context_length=self.n_positions,
            d_model=self.d_model,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
        )


SHAPES = (Shape(4, 4, 128, 64, 12), Shape(6, 6, 384, 256, 8))


LEGEND = """\
ratio: tokens/s over transformers'. GFLOP/s: 6 × matrix parameters + 6·L·D·(T+1) per token, over the time.
of matmul: the share of what a 1024 × 1024 product reached in the same rounds. step memory: the most bytes of
tensors that are alive at once in a step, beyond the weights and moments."""


class TrainingRow(NamedTuple):
    """What one contender did at one shape.

    Attributes:
        shape: the model and the batch.
        contender: "minigpt" or "transformers".
        tokens_per_second: the median over the rounds.
        ratio: the same over that of transformers, the median of each round's.
        flops_per_second: 6 × matrix parameters + 6·L·D·(T+1) operations per token, over the time.
        share_of_matmul: of the operations per second that a 1024 × 1024 product reached in the same rounds.
        memory: the most bytes of tensors that are alive at once in a step, beyond the weights and moments.
    """

    shape: Shape
    contender: str
    tokens_per_second: float
    ratio: float
    flops_per_second: float
    share_of_matmul: float
    memory: int

    def __str__(self) -> str:
        return (
            f"{self.shape!s:<24}{self.contender:<14}{self.tokens_per_second:>10,.0f}{self.ratio:>8.2f}"
            f"{self.flops_per_second / 1e9:>10.1f}{self.share_of_matmul:>11.0%}{self.memory / 2**20:>9.1f} MiB"
        )


@dataclass(frozen=True)
class TrainingBench:
    """All measurements of one run, in float32 on the CPU.

    Attributes:
        threads: how many PyTorch used.
        rounds: how often each contender was timed, in turn.
        rows: the measurements, shape by shape.
    """

    threads: int
    rounds: int
    rows: list[TrainingRow]

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them; rates per second, memory in bytes."""
        about = {"dtype": "float32", "threads": self.threads, "torch": str(torch.__version__), "rounds": self.rounds}
        return {**about, "rows": [row._asdict() | {"shape": asdict(row.shape)} for row in self.rows]}

    def __str__(self) -> str:
        head = f"{'shape':<24}{'':<14}{'tokens/s':>10}{'ratio':>8}{'GFLOP/s':>10}{'of matmul':>11}{'step memory':>13}"
        lines = [
            f"float32, {self.threads} threads, torch {torch.__version__}; medians of {self.rounds} rounds in turn",
            head,
            *map(str, self.rows),
            LEGEND,
        ]
        return "\n".join(lines)


def measure_training(rounds: int = 9) -> TrainingBench:
    """Measure our training step beside that of transformers' GPT-2, in float32 on the CPU, at each of ``SHAPES``.

    Args:
        rounds: how often each is timed, in turn; the median counts.

    Raises:
        ImportError: if transformers is not installed.
    """
    steps = {shape: {"minigpt": our_step(shape.config), "transformers": peer_step(shape.config)} for shape in SHAPES}
    rows = [row for shape, contenders in steps.items() for row in measure_steps(shape, contenders, rounds)]
    return TrainingBench(torch.get_num_threads(), rounds, rows)


def our_step(config: GPTConfig, world: World = ALONE) -> Step:
    """One update of our GPT with our loss, clipping and optimizer: the update of the loop, on a batch that is given.

    Args:
        config: the model's shape.
        world: the processes that add up their gradients; each has a batch of its own.
    """
    data = TokenDataset(torch.zeros(2 * config.context_length, dtype=torch.int64), config.context_length, vocab_size=1)
    settings = TrainConfig(device="cpu", batch_size=world.size)
    run = RunState(GPT(config).train(), settings, data, world=world)

    def step(inputs: Tensor, targets: Tensor) -> None:
        def gradient() -> tuple[float, int]:
            return accumulate_gradients(run.wrapper, inputs, targets, len(inputs), world=world), inputs.numel()

        update(run, gradient, rate=1e-3)

    return step


def peer_step(config: GPTConfig) -> Step:
    """One update of transformers' GPT-2 at the same shape, with its own loss and PyTorch's AdamW as it comes."""
    model = peer_model(config, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0).train()
    model.loss_type = "ForCausalLM"  # the loss it takes anyway; unset, transformers logs a warning
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)

    def step(inputs: Tensor, targets: Tensor) -> None:
        model(input_ids=inputs, labels=inputs).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def peak_allocation(step: Callable[[], object]) -> int:
    """The most bytes that were allocated at once during ``step``, beyond what was there before it."""
    with _quiet_profiler(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    recorded = profiler.profiler
    assert recorded is not None
    alive, peak = 0, 0
    for event in recorded.kineto_results.events():
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    return peak


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """The profiler's C++ part writes to file descriptor 2 when it starts and stops; nobody asked for that."""
    sys.stderr.flush()
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def matmul_rate(size: int = 1024) -> float:
    """Floating-point operations per second of one ``size`` × ``size`` float32 product."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / _seconds(lambda: torch.mm(a, b))


def measure_steps(shape: Shape, contenders: dict[str, Step], rounds: int) -> Iterator[TrainingRow]:
    """The contenders' steps on one random batch, in turn; one of them is "transformers"."""
    ids = torch.randint(0, shape.config.vocab_size, (shape.batch_size, shape.n_positions + 1))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    rates = []
    repeats = max(1, round(0.5 / _seconds(lambda: contenders["transformers"](inputs, targets))))
    for _ in tqdm(range(rounds), desc=str(shape), leave=False):
        rates.append(matmul_rate())
        for name, step in contenders.items():
            times[name].append(_seconds(partial(step, inputs, targets), repeats))
    flops = training_flops_per_token(shape.config, shape.n_positions) * inputs.numel()
    for name, step in contenders.items():
        seconds = statistics.median(times[name])
        yield TrainingRow(
            shape,
            name,
            tokens_per_second=inputs.numel() / seconds,
            ratio=statistics.median(b / a for a, b in zip(times[name], times["transformers"], strict=True)),
            flops_per_second=flops / seconds,
            share_of_matmul=flops / seconds / statistics.median(rates),
            memory=peak_allocation(partial(step, inputs, targets)),
        )


def _seconds(function: Callable[[], object], repeats: int = 1) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - started) / repeats
