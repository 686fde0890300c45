"""What a training needs and costs, before it is started: the answer of ``mg.estimate``."""

import html
import json
from dataclasses import dataclass, fields, replace
from typing import Any

from minigpt.cost.assumptions import MOST_TOKENS_READ, Assumptions, assumptions_of, positive, refuse_unused
from minigpt.cost.cache import cache_bytes
from minigpt.cost.flops_by_part import backward_flops, forward_flops
from minigpt.cost.hardware import Bill, Cluster, parse_hardware, training_bill, training_seconds
from minigpt.cost.machine import Machine, step_seconds
from minigpt.cost.memory import StepPlan, peak_bytes, predict_memory
from minigpt.cost.parameters import ParameterCount, count_parameters
from minigpt.cost.published import PUBLISHED_MODELS
from minigpt.cost.scaling.chinchilla import approach_1_tokens
from minigpt.cost.table import Line, in_lines, table_rows
from minigpt.model import PRESETS, GPTConfig
from minigpt.settings import check_choice
from minigpt.settings.language import Bilingual
from minigpt.training import TrainConfig
from minigpt.training.safety.memory import StepMemory

# The names of models that can be estimated: the presets, then the published models.
MODEL_NAMES = (*PRESETS, *(name for name in PUBLISHED_MODELS if name not in PRESETS))
PAGE_LANGUAGE = Bilingual("en", "zh-CN")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a training needs and costs.

    Attributes:
        config: the model's shape.
        tokens: that are read, repetitions included.
        are_best: whether their number was computed, as the best for the size.
        on: the hardware; ``None``: none was named.
        assumptions: what was taken for granted.
        parts: the parameters of each part.
        training_flops: floating-point operations of the whole training, forward and backward.
        memory: bytes of one training step at its peak, everything in one device.
        step_memory: the same in its parts, in bytes.
        cache: bytes of a cache for one sequence as long as the context, in 16 bits; see :func:`cache_bytes`.
        seconds: of the whole training; ``None`` without hardware.
        bill: hours, dollars, energy and carbon; ``None`` without named hardware.
    """

    config: GPTConfig
    tokens: float
    are_best: bool
    on: Cluster | Machine | None
    assumptions: Assumptions
    parts: ParameterCount
    training_flops: float
    memory: int
    step_memory: StepMemory
    cache: int
    seconds: float | None
    bill: Bill | None

    @property
    def parameters(self) -> int:
        """N, the number of trained numbers; a tied head counts once."""
        return self.parts.total

    @property
    def activations(self) -> int:
        """Bytes of the step at its peak besides weights, gradients and moments: all that comes and goes."""
        step = self.step_memory
        return self.memory - step.weights - step.gradients - step.moments

    @property
    def dollars(self) -> float | None:
        """The price of the whole training; ``None`` without named hardware, or where no price is known."""
        return None if self.bill is None or self.price is None else self.bill.dollars

    @property
    def price(self) -> float | None:
        """Dollars for an hour of one device: the one given, or the lowest of the table."""
        if self.assumptions.price is not None or not isinstance(self.on, Cluster):
            return self.assumptions.price
        known = self.on.device.dollars_per_hour
        return None if known is None else known[0]

    def rows(self) -> list[Line]:
        """The table: what, how much, and what that means, in the language of the locale."""
        return table_rows(self)

    def to_object(self) -> dict[str, Any]:
        """The figures as what JSON can hold; bytes, seconds, dollars, kilowatt-hours and kilograms."""
        bill = None if self.bill is None else vars(self.bill) | {"dollars": self.dollars}
        return {
            "parameters": self.parameters,
            "parts": vars(self.parts),
            "tokens": self.tokens,
            "training_flops": self.training_flops,
            "memory": self.memory,
            "step_memory": {part.name: getattr(self.step_memory, part.name) for part in fields(StepMemory)},
            "cache": self.cache,
            "on": None if self.on is None else str(self.on),
            "mfu": self.assumptions.mfu if isinstance(self.on, Cluster) else None,
            "price": self.price,
            "seconds": self.seconds,
            "dollars": self.dollars,
            "bill": bill,
        }

    def to_json(self) -> str:
        """The same as a JSON object."""
        return json.dumps(self.to_object(), indent=1)

    def __str__(self) -> str:
        return in_lines(self.rows())

    def _repr_html_(self) -> str:
        style = 'style="text-align:left;vertical-align:top;padding:.2em .8em .2em 0"'
        rows = (
            f'<tr><th scope="row" {style}>{what}</th>'
            + (f"<td {style}>{much}</td><td {style}>{means}</td>" if means else f'<td colspan="2" {style}>{much}</td>')
            + "</tr>"
            for what, much, means in (map(html.escape, row) for row in self.rows())
        )
        return f'<table lang="{PAGE_LANGUAGE.spoken()}">{"".join(rows)}</table>'


def estimate(
    config: GPTConfig | str,
    tokens: float | None = None,
    on: Cluster | Machine | str | None = None,
    **assumptions: Any,
) -> Estimate:
    """What a training would need and cost, by arithmetic: nothing is built.

    Args:
        config: the model's shape, or the name of a preset or of a published model.
        tokens: that are read, repetitions included, at most 1e30; ``None``: those that are best for the size, by the
            table of Hoffmann et al. 2022.
        on: hardware by name, such as ``"8xH100"``; or a machine that :func:`minigpt.bench.probe_machine` has measured;
            ``None``: neither time nor price.
        assumptions: fields of :class:`Assumptions`: ``price`` in dollars for an hour of one device, ``mfu``, ``plan``
            and ``site``.

    Raises:
        ValueError: if the hardware, the preset or an assumption is unknown or out of its range, or an assumption has no
            effect: a price without hardware, or on a measured machine.
    """
    config, on, given = _named(config), _hardware(on), assumptions_of(assumptions)
    refuse_unused(assumptions, on)
    plan = given.plan or StepPlan(
        n_positions=config.context_length,
        n_sequences=TrainConfig.batch_size if isinstance(on, Machine) else 1,
        precision=on.device.precision if isinstance(on, Cluster) else "fp32",
    )
    parts, step = count_parameters(config), predict_memory(config, plan)
    n_tokens = approach_1_tokens(parts.total) if tokens is None else positive("tokens", tokens, MOST_TOKENS_READ)
    by_part = (count(config, plan.n_positions) for count in (forward_flops, backward_flops))
    flops = sum(each.total for each in by_part) / plan.n_positions * n_tokens
    made = Estimate(
        config=config,
        tokens=n_tokens,
        are_best=tokens is None,
        on=on,
        assumptions=replace(given, plan=plan),
        parts=parts,
        training_flops=flops,
        memory=step.weights + step.moments + peak_bytes(config, plan, plan.n_sequences),
        step_memory=step,
        cache=cache_bytes(config, config.context_length, word=2),
        seconds=None,
        bill=None,
    )
    if isinstance(on, Machine):
        n_steps = n_tokens / (plan.n_sequences * plan.n_positions)
        return replace(made, seconds=n_steps * step_seconds(config, on, plan.n_sequences))
    if on is None:
        return made
    seconds = training_seconds(flops, on.count, on.device.flops_per_second, given.mfu)
    bill = training_bill(seconds, on.count, made.price or 0.0, on.device.watts or 0.0, given.site)
    return replace(made, seconds=seconds, bill=bill)


def _named(name: GPTConfig | str) -> GPTConfig:
    if isinstance(name, GPTConfig):
        return name
    check_choice("model", name, MODEL_NAMES)
    return GPTConfig.preset(name) if name in PRESETS else PUBLISHED_MODELS[name].config


def _hardware(on: Cluster | Machine | str | None) -> Cluster | Machine | None:
    return on if on is None or isinstance(on, Cluster | Machine) else parse_hardware(on)
