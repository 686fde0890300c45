"""The yardstick of the speedrun: nanoGPT's command for a CPU, trained until its loss is that of its README.

Source: https://github.com/karpathy/nanoGPT, train.py, commit 3adf61e.
Departure: the loss is over the whole validation split, where nanoGPT takes 20 random batches; it is evaluated every 50
steps, where nanoGPT evaluates every 250.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from minigpt.bench.speedrun.nanogpt import NANOGPT_SEED, PUBLISHED, PUBLISHED_LOSS, RatedModel, nanogpt_rate
from minigpt.bench.speedrun.stopwatch import CurvePoint, Seconds, StepTimes, TimedSplit
from minigpt.text import TokenDataset
from minigpt.training import split_loss

EVALUATED_EVERY = 50  # steps


class YardstickRun(NamedTuple):
    """What the yardstick did.

    Attributes:
        name: of the contender.
        steps: updates that it made, of 2,000.
        seconds: of training: all its steps, without evaluations.
        curve: the losses on the way, the last one included.
    """

    name: str
    steps: int
    seconds: float
    curve: tuple[CurvePoint, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it made all updates."""
        return self.steps == PUBLISHED["max_iters"]

    @property
    def reached(self) -> CurvePoint | None:
        """Where its loss first was at most that of the README; ``None`` if it never was."""
        return next((point for point in self.curve if point.loss <= PUBLISHED_LOSS), None)

    @property
    def seconds_to_target(self) -> float:
        """Seconds until its loss was that of the README; all its seconds if it never was, of 2,000 steps if stopped."""
        if (reached := self.reached) is not None:
            return reached.seconds
        return self.seconds / self.steps * int(PUBLISHED["max_iters"]) if self.steps else math.nan


class Yardstick:
    """A contender that trains as nanoGPT's command does, as many steps at a time as it is told.

    Args:
        contender: what is trained.
        data: the training split.
        validation: the validation split.
        clock: returns seconds.
    """

    def __init__(self, contender: RatedModel, data: TokenDataset, validation: TokenDataset, clock: Seconds) -> None:
        self.contender, self.clock = contender, clock
        self.ids = torch.from_numpy(data.shards[0].tokens.astype("int64"))
        self.validation = TimedSplit.of(validation, clock)
        self.generator = torch.Generator().manual_seed(NANOGPT_SEED)
        self.times = StepTimes()

    def advance(self, steps: int, *, bar: bool = False) -> None:
        """Train until so many updates are made in all, and evaluate.

        Args:
            steps: as many; where they are made already, nothing happens.
            bar: show a bar while it trains.
        """
        self.contender.model.train()
        todo = range(len(self.times.steps), steps)
        for _ in tqdm(todo, desc=self.contender.name, disable=not bar, leave=False, unit="step"):
            started = self.clock()
            inputs, targets = self.batch()
            self.contender.step(inputs, targets, nanogpt_rate(len(self.times.steps)))
            self.times.steps.append(self.clock() - started)
            if len(self.times.steps) % EVALUATED_EVERY == 0:
                self.evaluate()
        self.evaluate()

    def batch(self) -> tuple[Tensor, Tensor]:
        """Windows at random places, drawn with replacement: inputs and targets, ``(B, T)`` each."""
        T = PUBLISHED["block_size"]
        starts = torch.randint(len(self.ids) - T, (PUBLISHED["batch_size"],), generator=self.generator)
        rows = self.ids[starts[:, None] + torch.arange(T + 1)]
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def evaluate(self) -> None:
        """Take note of the loss, unless it is known."""
        if [step for step, _ in self.times.losses[-1:]] != [len(self.times.steps)]:
            self.times.losses.append((len(self.times.steps), split_loss(self.contender.model, self.validation).mean))

    @property
    def result(self) -> YardstickRun:
        """What it did so far."""
        return YardstickRun(self.contender.name, len(self.times.steps), self.times.seconds, self.times.curve)
