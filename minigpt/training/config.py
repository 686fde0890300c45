"""How a model is trained: one frozen, validated description.

Units: learning rates per step, batch sizes in sequences, times in steps.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from minigpt.settings import Mark, Rule, check_choice, check_types, resolved, rule_of
from minigpt.training.losses import LOSSES
from minigpt.training.optim import OPTIMIZERS
from minigpt.training.precision import PRECISION_NAMES
from minigpt.training.processes.strategies import STRATEGIES
from minigpt.training.schedule import SCHEDULES

# The names of the tables, for the command line and for type checkers; a test holds them equal to the tables.
OptimizerName = Literal["sgd", "momentum", "adam", "adamw", "lion", "muon"]
ScheduleName = Literal["constant", "cosine", "linear", "wsd"]
StrategyName = Literal["ddp", "fsdp"]
PrecisionName = Literal["fp32", "bf16", "fp16", "auto"]
LossName = Literal["logits", "chunked", "triton"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Training: the optimizer, its learning rate, the batches, and what is computed, watched and kept.

    Attributes:
        steps: number of updates.
        batch_size: sequences of each update, over all devices and micro-steps together.
        micro_batch_size: sequences at once through the model, a divisor of the batch size; fewer need less memory
            (default: all those of a process).
        optimizer: optimizer.
        learning_rate: peak learning rate, reached after the warm-up.
        rate_at_128: learning rate that suits a model of width 128; where learning_rate is not set, it follows as 1/D.
        schedule: shape of the learning rate after the warm-up; "wsd" stays constant and falls at the end.
        final_learning_rate: learning rate of the last step.
        warmup_steps: updates over which the learning rate rises from 0.
        decay_steps: updates over which "wsd" falls at the end.
        beta_1: decay of the mean of gradients (Adam, AdamW, Lion).
        beta_2: decay of the mean of squared gradients (Adam, AdamW); in Lion, decay of its only mean.
        momentum: decay of the mean of gradients in momentum and muon (default: 0.9 and 0.95).
        weight_decay: strength with which matrices and embeddings are pulled to 0, per unit of learning rate.
        clip_norm: largest norm of a gradient (inf = no clipping).
        spike_threshold: standard deviations above its running mean at which a loss or gradient norm is a spike, whose
            step is skipped (default: never); 6 is a cautious choice.
        label_smoothing: probability spread over all tokens in the training loss; validation has none.
        ema: EMA decay of the weights, such as 0.99; the average is evaluated and loaded later (0 = off).
        seed: random seed of the initial weights, the data order and dropout.
        eval_every: steps between two passes over the whole validation split (0 = only after the last step).
        checkpoint_every: steps between two checkpoints (0 = only after the last step).
        keep_checkpoints: number of the newest checkpoints that stay on disk.
        background_saves: write checkpoints while training continues; needs memory for a copy of weights and moments.
        tensorboard: write TensorBoard event files beside log.jsonl; needs the extra `log`.
        device: device that computes: auto, cpu, cuda, cuda:1, mps, …
        strategy: how several processes share the model under torchrun: "ddp" keeps a copy in each, "fsdp" a shard of
            every weight.
        sharded_checkpoints: with "fsdp", each process writes its shards, for models that no process can hold whole.
        precision: number format of the large products; "auto" is bf16 where the device has instructions for it.
        loss: way to compute the loss, with the same value; "chunked" needs far less memory with a large vocabulary.
        activation_checkpointing: recompute the inside of each block in the backward pass: far less memory, about a
            third more time, the same numbers.
        compile: run the blocks through torch.compile: slow to start, then faster; needs a C++ compiler.
    """

    steps: int = 2000
    batch_size: int = 12
    micro_batch_size: Annotated[int | None, Mark.SAME_NUMBERS] = None
    optimizer: OptimizerName = "adamw"
    learning_rate: Annotated[float | None, Rule("rate_at_128 * 128 / d_model * relative_rate")] = 1e-3
    rate_at_128: float = 2e-3
    schedule: ScheduleName = "cosine"
    final_learning_rate: Annotated[float | None, Rule("learning_rate / 10")] = None
    warmup_steps: Annotated[int | None, Rule("min(100, steps // 20)")] = None
    decay_steps: Annotated[
        int | None, Rule("min((steps + 4) // 5, steps - warmup_steps)", when="schedule == 'wsd'")
    ] = None
    beta_1: float = 0.9
    beta_2: float = 0.99
    momentum: float | None = None
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    spike_threshold: float | None = None
    label_smoothing: float = 0.0
    ema: float = 0.0
    seed: int = 0
    eval_every: Annotated[int, Mark.WATCHED] = 250
    checkpoint_every: Annotated[int, Mark.WATCHED] = 500
    keep_checkpoints: Annotated[int, Mark.WATCHED] = 2
    background_saves: Annotated[bool, Mark.WATCHED] = False
    tensorboard: Annotated[bool, Mark.WATCHED] = False
    device: Annotated[str, Mark.SAME_NUMBERS] = "auto"
    strategy: Annotated[StrategyName, Mark.SAME_NUMBERS] = "ddp"
    sharded_checkpoints: Annotated[bool, Mark.WATCHED] = False
    precision: PrecisionName = "fp32"
    loss: Annotated[LossName, Mark.SAME_NUMBERS] = "logits"
    activation_checkpointing: Annotated[bool, Mark.SAME_NUMBERS] = False
    compile: Annotated[bool, Mark.SAME_NUMBERS] = False

    def __post_init__(self) -> None:
        check_types(self)
        self._check_ranges()
        self._check_choices()
        self._check_fit()

    def _check_ranges(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 1), ("keep_checkpoints", 2), ("seed", 0)):
            self._check_at_least(name, least)
        if self.micro_batch_size is not None:
            self._check_at_least("micro_batch_size", 1)
        for name in ("rate_at_128", "weight_decay", "eval_every", "checkpoint_every"):
            self._check_at_least(name, 0)
        for name in ("learning_rate", "final_learning_rate", "warmup_steps", "decay_steps"):
            if getattr(self, name) is not None:
                self._check_at_least(name, 0)
        if self.spike_threshold is not None and not self.spike_threshold > 0:
            raise ValueError(
                f"spike_threshold={self.spike_threshold} must be greater than 0; to skip no spikes use None"
            )
        if not self.clip_norm > 0:
            raise ValueError(f"clip_norm={self.clip_norm} must be greater than 0; for no clipping use float('inf')")
        for name in ("beta_1", "beta_2", "momentum", "label_smoothing", "ema"):
            if not 0 <= (getattr(self, name) or 0) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must lie in [0, 1)")

    def _check_choices(self) -> None:
        choices: dict[str, Collection[str]] = {
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
            "strategy": STRATEGIES,
            "precision": PRECISION_NAMES,
            "loss": LOSSES,
        }
        for name, table in choices.items():
            check_choice(name, getattr(self, name), table)

    def _check_fit(self) -> None:
        """Refuse settings that do not go together, or that nothing would read."""
        self._check_that_it_acts("momentum", "optimizer", ("momentum", "muon"))
        self._check_that_it_acts("decay_steps", "schedule", ("wsd",))
        if (self.decay_steps or 0) > (most := max(0, self.steps - self.warmup)):
            raise ValueError(
                f"decay_steps={self.decay_steps} is more than the {most} of steps={self.steps} after the warm-up"
            )
        if self.sharded_checkpoints and (self.strategy != "fsdp" or self.background_saves):
            raise ValueError(
                f"sharded_checkpoints=True needs strategy='fsdp' and background_saves=False, got {self.strategy!r} and "
                f"{self.background_saves}"
            )
        if self.batch_size % self.micro_batch:
            raise ValueError(
                f"batch_size={self.batch_size} must be a multiple of micro_batch_size={self.micro_batch}; try "
                f"micro_batch_size={math.gcd(self.batch_size, self.micro_batch)}"
            )

    def _check_that_it_acts(self, name: str, chooser: str, choices: tuple[str, ...]) -> None:
        if getattr(self, name) is not None and getattr(self, chooser) not in choices:
            raise ValueError(
                f"{name}={getattr(self, name)} acts with {chooser}={' or '.join(map(repr, choices))} only, got "
                f"{chooser}={getattr(self, chooser)!r}"
            )

    def _check_at_least(self, name: str, least: float) -> None:
        value = getattr(self, name)
        if not value >= least or value == math.inf:
            raise ValueError(f"{name}={value} must be a finite number of at least {least}")

    def resolved(self, d_model: int) -> Self:
        """The same with each ``None`` that follows a rule replaced by its value, for a model of width D."""
        return resolved(self, d_model=d_model, relative_rate=OPTIMIZERS[self.optimizer].relative_rate)

    def is_due(self, step: int, every: int) -> bool:
        """Whether what happens each ``every`` steps, and after the last, happens after ``step`` (counted from 0)."""
        return step + 1 == self.steps or (every > 0 and (step + 1) % every == 0)

    @property
    def micro_batch(self) -> int:
        """Sequences at once through the model, with ``None`` resolved."""
        return self.batch_size if self.micro_batch_size is None else self.micro_batch_size

    @property
    def warmup(self) -> int:
        """Warm-up steps, with ``None`` resolved."""
        return _ruled(self, "warmup_steps", steps=self.steps)

    def rate(self, t: int) -> float:
        """The learning rate of update t, counted from 1.

        Raises:
            ValueError: if the learning rate follows the model's width and is not resolved yet.
        """
        decay = {} if self.decay_steps is None else {"decay_steps": self.decay_steps}
        shape = {"peak": self.peak, "final": self.final_rate, "warmup_steps": self.warmup, "steps": self.steps}
        return SCHEDULES[self.schedule](t, **shape, **decay)

    @property
    def peak(self) -> float:
        """The highest learning rate.

        Raises:
            ValueError: if it follows the model's width and is not resolved yet.
        """
        if self.learning_rate is None:
            raise ValueError("learning_rate=None follows the width of the model; call config.resolved(d_model) first")
        return self.learning_rate

    @property
    def final_rate(self) -> float:
        """The last learning rate, with ``None`` resolved."""
        return _ruled(self, "final_learning_rate", learning_rate=self.peak)


def _ruled(config: TrainConfig, name: str, **names: Any) -> Any:
    """A field, or what its rule gives."""
    value, rule = getattr(config, name), rule_of(TrainConfig, name)
    return rule.value(names) if value is None and rule is not None else value
