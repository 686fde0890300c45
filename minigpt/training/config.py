"""How a model is trained: one frozen, validated description.

Units: learning rates per step, batch sizes in sequences, times in steps.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minigpt.training.losses import LOSSES
from minigpt.training.optim import OPTIMIZERS
from minigpt.training.precision import PRECISION_NAMES
from minigpt.training.processes.strategies import STRATEGIES
from minigpt.training.schedule import SCHEDULES


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the weights that come out of :func:`minigpt.train`, and how often it looks up.

    Attributes:
        steps: how many updates.
        batch_size: sequences for each update, over all devices and micro-steps together.
        micro_batch_size: sequences at once through the model; ``None`` means ``batch_size``. A divisor of it: the
            gradients of several micro-steps add up to one update, in less memory.
        optimizer: "adamw", "adam", "muon", "lion", "momentum" or "sgd".
        learning_rate: the highest, reached after the warm-up.
        schedule: how the learning rate goes on after the warm-up: "cosine", "linear", "constant", or "wsd", which stays
            and falls at the end.
        final_learning_rate: the lowest, reached at the last step; ``None`` means a tenth of ``learning_rate``.
        warmup_steps: updates over which the learning rate rises from 0; ``None`` means a twentieth of ``steps``,
            100 at the most.
        decay_steps: updates over which "wsd" falls; ``None`` means a fifth of ``steps``.
        beta_1: how slowly the mean of gradients forgets, in Adam, AdamW and Lion.
        beta_2: how slowly the mean of squared gradients forgets, in Adam and AdamW; in Lion, its only mean.
        momentum: how slowly the mean of gradients forgets in Momentum and Muon; ``None`` means 0.9 and 0.95.
        weight_decay: how strongly matrices and embeddings are pulled to 0.
        clip_norm: the largest norm of a gradient.
        spike_threshold: skip a step whose loss or gradient norm lies more than this many standard deviations above its
            running mean; ``None`` skips none. 6 is a cautious choice.
        label_smoothing: the share of certainty that the training loss gives to all tokens alike; validation has none.
        ema: how slowly an average of the weights forgets, such as 0.99; it is what is evaluated and loaded later.
            0 means no average.
        seed: of the initial weights, the order of the data and the dropout.
        eval_every: steps between two passes over the whole validation split; 0 means only after the last step.
        checkpoint_every: steps between two checkpoints; 0 means only after the last step.
        keep_checkpoints: how many of the newest checkpoints stay on disk.
        background_saves: whether checkpoints are written while training goes on; that needs memory for a copy of the
            weights and moments.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        strategy: how several processes share the model, if torchrun starts them: "ddp" keeps a copy in each, "fsdp" a
            shard of every weight in each.
        sharded_checkpoints: with "fsdp", each process writes its shards, for models that no process can hold whole.
        precision: "fp32"; "bf16" or "fp16" for products in 16 bits, which is faster on most GPUs; "auto": bf16
            where the device has instructions for it.
        loss: "logits", "chunked" or "triton": how the loss is computed, never what it is. "chunked" takes some
            positions at a time: as quick, and far less memory with a vocabulary as large as GPT-2's.
        activation_checkpointing: keep only the input of each block for the backward pass, and compute the rest a second
            time: far less memory, a third more time, the same numbers.
        compile: run the blocks through ``torch.compile``: slow to start, then faster; it needs a C++ compiler.
    """

    steps: int = 2000
    batch_size: int = 12
    micro_batch_size: int | None = None
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    final_learning_rate: float | None = None
    warmup_steps: int | None = None
    decay_steps: int | None = None
    beta_1: float = 0.9
    beta_2: float = 0.99
    momentum: float | None = None
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    spike_threshold: float | None = None
    label_smoothing: float = 0.0
    ema: float = 0.0
    seed: int = 0
    eval_every: int = 250
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    background_saves: bool = False
    device: str = "auto"
    strategy: str = "ddp"
    sharded_checkpoints: bool = False
    precision: str = "fp32"
    loss: str = "logits"
    activation_checkpointing: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 1), ("keep_checkpoints", 2), ("seed", 0)):
            self._check_at_least(name, least)
        for name in ("learning_rate", "weight_decay", "eval_every", "checkpoint_every"):
            self._check_at_least(name, 0)
        for name in ("final_learning_rate", "warmup_steps", "decay_steps"):
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
        choices: dict[str, Collection[str]] = {
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
            "strategy": STRATEGIES,
            "precision": PRECISION_NAMES,
            "loss": LOSSES,
        }
        for name, table in choices.items():
            if getattr(self, name) not in table:
                raise ValueError(f"{name}={getattr(self, name)!r} is unknown; choose one of {', '.join(table)}")
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
        """Refuse a setting that nothing would read."""
        if getattr(self, name) is not None and getattr(self, chooser) not in choices:
            raise ValueError(
                f"{name}={getattr(self, name)} acts with {chooser}={' or '.join(map(repr, choices))} only, got "
                f"{chooser}={getattr(self, chooser)!r}"
            )

    def _check_at_least(self, name: str, least: float) -> None:
        value = getattr(self, name)
        if not value >= least or value == math.inf:
            raise ValueError(f"{name}={value} must be a finite number of at least {least}")

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
        return min(100, self.steps // 20) if self.warmup_steps is None else self.warmup_steps

    def rate(self, t: int) -> float:
        """The learning rate of update t, counted from 1."""
        decay = {} if self.decay_steps is None else {"decay_steps": self.decay_steps}
        shape = {"peak": self.learning_rate, "final": self.final_rate, "warmup_steps": self.warmup, "steps": self.steps}
        return SCHEDULES[self.schedule](t, **shape, **decay)

    @property
    def final_rate(self) -> float:
        """The last learning rate, with ``None`` resolved."""
        return self.learning_rate / 10 if self.final_learning_rate is None else self.final_learning_rate


# What may differ when a run goes on: it changes what is watched and kept, or how a number is computed, but not which.
FREE_ON_RESUME = frozenset(
    {
        "eval_every",
        "checkpoint_every",
        "keep_checkpoints",
        "background_saves",
        "device",
        "strategy",
        "sharded_checkpoints",
        "micro_batch_size",
        "attention",
        "loss",
        "activation_checkpointing",
        "compile",
        "tensorboard",
    }
)


def check_same_run(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to continue a run under another description.

    Raises:
        ValueError: naming every field that differs, with both values.
    """
    changes = list(_differences(saved, wanted))
    if changes:
        raise ValueError(
            f"the checkpoint belongs to another run: {'; '.join(changes)}. Resume with the saved values, or start anew "
            "with another output folder"
        )


def _differences(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in {**saved, **wanted}:
        before, now = saved.get(name), wanted.get(name)
        if before == now or name in FREE_ON_RESUME:
            continue
        if name == "tokenizer":
            yield "the tokenizer is another one"
        elif isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differences(before, now)
        else:
            yield f"{name} was {before!r}, now {now!r}"
