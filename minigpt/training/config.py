"""How a model is trained: one frozen, validated description.

Units: learning rates per step, batch sizes in sequences, times in steps.

A good learning rate depends on the width of the model and on the optimizer. ``TrainConfig()`` by itself knows no model,
so its ``learning_rate`` is a number, 0.001. The recipes "gpt2" and "fast" set it to ``None``, and `minigpt train` takes
"gpt2" by default: the rate is then computed from the width D when the run is resolved, as
``rate_at_128 * 128 / D * relative_rate``, which is 0.002 for a width of 128 and AdamW. ``relative_rate`` is a good
learning rate for an optimizer as a multiple of AdamW's: sgd 50, momentum 5, adam 1, adamw 1, lion 0.5, muon 8.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from minigpt.model.config import WIDTH
from minigpt.settings import Mark, Range, Rule, check_choice, check_types, fit, resolved, rule_of
from minigpt.training.execution.precision import PRECISION_NAMES
from minigpt.training.losses import LOSSES
from minigpt.training.optim import OPTIMIZERS
from minigpt.training.optim.orthogonal import POLYNOMIALS
from minigpt.training.processes.strategies import STRATEGIES
from minigpt.training.schedule import SCHEDULES

# The names of the tables, for the command line and for type checkers; a test holds them equal to the tables.
OptimizerName = Literal["sgd", "momentum", "adam", "adamw", "lion", "muon"]
ScheduleName = Literal["constant", "cosine", "linear", "wsd"]
StrategyName = Literal["ddp", "zero", "fsdp"]
PrecisionName = Literal["fp32", "bf16", "bf16-weights", "fp16", "auto"]
OrthogonalName = Literal["jordan-5", "polar-3"]
LossName = Literal["logits", "chunked", "triton"]

MOST_STEPS = 10**9
COUNT, SEQUENCES = Range(0, MOST_STEPS), Range(1, 2**20)
NOT_NEGATIVE, SHARE = Range(0.0, math.inf, "[)"), Range(0.0, 1.0, "[)")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Training: the optimizer, its learning rate, the batches, and what is computed, watched and kept.

    Attributes:
        steps: number of updates.
        batch_size: sequences of each update, over all devices and micro-steps together.
        micro_batch_size: sequences at once through the model, a divisor of the batch size; fewer need less
            memory (default: all those of a process).
        optimizer: optimizer.
        learning_rate: peak learning rate, reached after the warm-up.
        rate_at_128: learning rate that suits AdamW at width 128; where learning_rate is none, it is multiplied
            by 128 / D and by the optimizer's relative_rate, its good rate as a multiple of AdamW's (sgd 50, muon 8).
        schedule: shape of the learning rate after the warm-up; "wsd" stays constant and falls at the end.
        final_learning_rate: learning rate of the last step.
        warmup_steps: updates over which the learning rate rises from 0.
        decay_steps: updates over which "wsd" falls at the end.
        beta_1: decay of the mean of gradients (Adam, AdamW, Lion).
        beta_2: decay of the mean of squared gradients (Adam, AdamW); in Lion, decay of its only mean.
        momentum: decay of the mean of gradients in momentum and muon (default: 0.9 and 0.95).
        orthogonal: polynomials that make the steps of muon orthogonal: five times the usual one, or three chosen ones,
            which take less time (default: polar-3 where products have 16 bits, jordan-5 in fp32).
        weight_decay: strength with which matrices and embeddings are pulled to 0, per unit of learning rate.
        clip_norm: largest norm of a gradient (inf = no clipping).
        spike_threshold: standard deviations above its running mean at which a loss or gradient norm is a spike, whose
            step is skipped (default: never); 6 is a cautious choice.
        label_smoothing: probability spread over all tokens in the training loss; validation has none.
        balance: weight of the load-balancing loss of each layer with experts in the training loss (0 = off);
            validation has none.
        ema: EMA decay of the weights, such as 0.99; the average is evaluated and loaded later (0 = off).
        seed: random seed of the initial weights, the data order and dropout.
        eval_every: steps between two passes over the whole validation split (0 = only after the last step).
        checkpoint_every: steps between two checkpoints (0 = only after the last step).
        keep_checkpoints: number of the newest checkpoints that stay on disk.
        background_saves: write checkpoints while training continues; needs memory for a copy of weights and moments.
        tensorboard: write TensorBoard event files beside log.jsonl; needs the extra `log`.
        device: device that computes: auto, cpu, cuda, cuda:1, mps, …
        strategy: how several processes share the model under torchrun: "ddp" keeps a copy in each, "zero" a copy and a
            share of the optimizer's moments, "fsdp" a shard of every weight.
        sharded_checkpoints: with "fsdp", each process writes its shards, for models that no process can hold whole.
        precision: number format of the large products; "auto" is bf16-weights or bf16 where the device has
            instructions for it, unless a step on the CPU is timed and faster in fp32; a run that is resumed keeps what
            it was.
        loss: way to compute the loss, with the same value; "chunked" needs far less memory with a large vocabulary.
        activation_checkpointing: recompute the inside of each block in the backward pass: far less memory, about a
            third more time, the same numbers.
        compile: run the blocks through torch.compile: slow to start, then faster; needs a C++ compiler. "auto" times
            the step and compiles if that pays within the run.
    """

    steps: Annotated[int, Range(1, MOST_STEPS)] = 2000
    batch_size: Annotated[int, SEQUENCES] = 12
    micro_batch_size: Annotated[int | None, SEQUENCES, Mark.SAME_NUMBERS] = None
    optimizer: OptimizerName = "adamw"
    learning_rate: Annotated[float | None, NOT_NEGATIVE, Rule("rate_at_128 * 128 / d_model * relative_rate")] = 1e-3
    rate_at_128: Annotated[float, NOT_NEGATIVE] = 2e-3
    schedule: ScheduleName = "cosine"
    final_learning_rate: Annotated[float | None, NOT_NEGATIVE, Rule("learning_rate / 10")] = None
    warmup_steps: Annotated[int | None, COUNT, Rule("min(100, steps // 20)")] = None
    decay_steps: Annotated[
        int | None, COUNT, Rule("min((steps + 4) // 5, steps - warmup_steps)", when="schedule == 'wsd'")
    ] = None
    beta_1: Annotated[float, SHARE] = 0.9
    beta_2: Annotated[float, SHARE] = 0.99
    momentum: Annotated[float | None, SHARE] = None
    orthogonal: OrthogonalName | None = None
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.1
    clip_norm: Annotated[float, Range(0.0, math.inf, "(]", "; for no clipping use float('inf')")] = 1.0
    spike_threshold: Annotated[float | None, Range(0.0, math.inf, "(]", "; to skip no spikes use None")] = None
    label_smoothing: Annotated[float, SHARE] = 0.0
    balance: Annotated[float, NOT_NEGATIVE] = 0.01  # Fedus, Zoph & Shazeer 2021, arXiv:2101.03961, section 2.2
    ema: Annotated[float, SHARE] = 0.0
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    eval_every: Annotated[int, COUNT, Mark.WATCHED] = 250
    checkpoint_every: Annotated[int, COUNT, Mark.WATCHED] = 500
    keep_checkpoints: Annotated[int, Range(2, MOST_STEPS), Mark.WATCHED] = 2
    background_saves: Annotated[bool, Mark.WATCHED] = False
    tensorboard: Annotated[bool, Mark.WATCHED] = False
    device: Annotated[str, Mark.SAME_NUMBERS] = "auto"
    strategy: Annotated[StrategyName, Mark.SAME_NUMBERS] = "ddp"
    sharded_checkpoints: Annotated[bool, Mark.WATCHED] = False
    precision: PrecisionName = "fp32"
    loss: Annotated[LossName, Mark.SAME_NUMBERS] = "logits"
    activation_checkpointing: Annotated[bool, Mark.SAME_NUMBERS] = False
    compile: Annotated[bool | Literal["auto"], Mark.SAME_NUMBERS] = False

    def __post_init__(self) -> None:
        check_types(self)
        self._check_choices()
        self._check_fit()

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
        if isinstance(self.compile, str) and self.compile != "auto":
            raise ValueError(f"compile={self.compile!r:.80} is unknown; choose one of True, False, 'auto'")
        if self.orthogonal is not None:
            check_choice("orthogonal", self.orthogonal, POLYNOMIALS)

    def _check_fit(self) -> None:
        """Refuse settings that do not go together, or that nothing would read."""
        self._check_that_it_acts("momentum", "optimizer", ("momentum", "muon"))
        self._check_that_it_acts("orthogonal", "optimizer", ("muon",))
        self._check_that_it_acts("decay_steps", "schedule", ("wsd",))
        if self.schedule == "wsd" and self.warmup > self.steps:
            raise ValueError(
                f"warmup_steps={self.warmup} is more than steps={self.steps}, so that schedule='wsd' has no step after "
                f"the warm-up; try warmup_steps={self.steps // 20}"
            )
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

    def resolved(self, d_model: int) -> Self:
        """The same with each ``None`` that follows a rule replaced by its value, for a model of width D.

        Raises:
            ValueError: if the width is none, or a rule gives a number outside the range of its field.
        """
        width = fit("d_model", d_model, Annotated[int, WIDTH])
        return resolved(self, d_model=width, relative_rate=OPTIMIZERS[self.optimizer].relative_rate)

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
