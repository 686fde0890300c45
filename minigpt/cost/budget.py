"""What can be trained in a given time: "tonight on this laptop"."""

import re
from dataclasses import dataclass
from typing import Any

from minigpt.cost.estimates import Estimate, estimate
from minigpt.cost.hardware import Cluster, parse_hardware
from minigpt.cost.hardware.names import THIS_MACHINE
from minigpt.cost.machine import Machine
from minigpt.cost.scaling.chinchilla import approach_1_tokens
from minigpt.cost.units import YEAR, shown_count, shown_seconds
from minigpt.model import PRESETS, GPTConfig
from minigpt.settings import shown
from minigpt.settings.language import Bilingual, filled, language

NIGHT = 8 * 3600.0  # seconds
TIME_UNITS = {
    "second": 1.0,
    "sec": 1.0,
    "minute": 60.0,
    "min": 60.0,
    "hour": 3600.0,
    "hr": 3600.0,
    "h": 3600.0,
    "night": NIGHT,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "month": 30 * 86400.0,
    "year": YEAR,
}
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = {word: float(i) for i, word in enumerate(_WORDS, 1)} | {"a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5}
A_TIME = re.compile(rf"\s*(\d{{1,9}}(?:\.\d{{1,9}})?|(?:{'|'.join(_NUMBERS)})(?=\s))\s*([a-z]+)\s*", re.IGNORECASE)
A_PLACE = re.compile(r"\s+on\s+", re.IGNORECASE)
MULTIPLES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96)  # of 64, the widths that are tried
HEAD_WIDTH = 64  # width of a head, and of the smallest model
READABLE = (
    "expected a time and a place, such as 'tonight on this laptop', 'ten hours', '2 weeks on 8xH100' or 'a month on "
    "2xRTX-4090'; times are numbers (also a, half a, and one to twelve) of seconds, minutes, hours, days, weeks, "
    "months or years"
)

_ON = Bilingual("{} on {}", "{}，使用 {}")
_SIZES = Bilingual(
    "vocabulary {:,}, context {:,} (--vocab-size, --context-length)",
    "词表 {:,}，上下文 {:,}（--vocab-size、--context-length）",
)
_HEADS = Bilingual("model parameters tokens best", "模型 参数量 词元 最优")
_COLUMNS = ((14, "right"), (12, "left"), (10, "left"), (10, "left"))
_OPTIMAL = Bilingual("compute-optimal", "计算最优")
_MEANINGS = Bilingual(
    "tokens: as many as fit into the time\nbest: those that are best for the size, by Chinchilla's table",
    "词元：这段时间里能读的数量\n最优：按 Chinchilla 的表，对该规模最优的词元数",
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A time on some hardware.

    Attributes:
        seconds: how long.
        on: the hardware; ``None``: this machine, which is to be measured first.
    """

    seconds: float
    on: Cluster | None


def parse_budget(text: str) -> Budget:
    """The time and the hardware that a sentence names.

    Args:
        text: "tonight" or "overnight" (8 hours), or a number of minutes, hours, days, weeks or months (of 30 days), in
            digits or as "a", "half a" or "one" to "twelve"; then, after "on", "this laptop" or "this machine", or
            hardware by name. Without a place it is this machine.

    Raises:
        ValueError: if it can't be read, with an example.
    """
    if not isinstance(text, str):
        raise ValueError(f"the budget must be a text, got {shown(text)}; {READABLE}")
    time, *after = A_PLACE.split(text[:200].strip(), maxsplit=1)
    place = after[0] if after else ""
    if time.strip().lower() in ("tonight", "overnight"):
        seconds = NIGHT
    else:
        found = A_TIME.fullmatch(time)
        unit = "" if found is None else found[2].lower()
        unit = unit if unit in TIME_UNITS else unit.removesuffix("s")
        if found is None or unit not in TIME_UNITS:
            raise ValueError(f"the budget {shown(text)} can't be read; {READABLE}")
        seconds = TIME_UNITS[unit] * (_NUMBERS.get(found[1].lower()) or float(found[1]))
    if not 1 <= seconds <= 10 * YEAR:
        raise ValueError(f"the budget {shown(text)} is {shown_seconds(seconds)}; give from a second to ten years")
    return Budget(
        seconds=seconds, on=None if not place or THIS_MACHINE.fullmatch(place.strip()) else parse_hardware(place)
    )


@dataclass(frozen=True, kw_only=True)
class SizedRun:
    """A model that could be trained in the time.

    Attributes:
        estimate: of as many tokens as fit.
        best_tokens: that are best for its size.
    """

    estimate: Estimate
    best_tokens: float

    @property
    def balance(self) -> float:
        """Tokens that fit over those that are best: below 1 the model is too large for the time, above 1 too small."""
        return self.estimate.tokens / self.best_tokens

    @property
    def name(self) -> str:
        """The preset of its shape, or layers and width."""
        config = self.estimate.config
        shape = {"d_model": config.d_model, "n_layers": config.n_layers, "n_heads": config.n_heads}
        presets = (name for name, fields in PRESETS.items() if shape.items() <= fields.items() and "norm" not in fields)
        return next(presets, f"{config.n_layers} × {config.d_model}")


@dataclass(frozen=True, kw_only=True)
class BudgetPlan:
    """What fits into a time, and what is best.

    Attributes:
        seconds: the time.
        candidates: models from small to large, each with the tokens that fit.
        best: the one whose tokens are nearest to those that are best for its size.
    """

    seconds: float
    candidates: tuple[SizedRun, ...]
    best: SizedRun

    def to_object(self) -> dict[str, Any]:
        """The figures as what JSON can hold."""
        rows = [
            {
                "name": each.name,
                "parameters": each.estimate.parameters,
                "tokens": each.estimate.tokens,
                "best_tokens": each.best_tokens,
                "balance": each.balance,
            }
            for each in self.candidates
        ]
        return {"seconds": self.seconds, "candidates": rows, "best": self.best.name} | self.best.estimate.to_object()

    def __str__(self) -> str:
        on, config = self.best.estimate.on, self.best.estimate.config
        lines = [
            _ON.spoken().format(shown_seconds(self.seconds, language()), on),
            _SIZES.spoken().format(config.vocab_size, config.context_length),
            "".join(filled(a, n, side) for a, (n, side) in zip(_HEADS.spoken().split(), _COLUMNS, strict=True)),
        ]
        near = [each for each in self.candidates if 0.02 < each.balance < 50 or each is self.best]
        for each in near:
            mark = f"  <- {_OPTIMAL.spoken()}" if each is self.best else ""
            figures = (each.estimate.parameters, each.estimate.tokens, each.best_tokens)
            counts = "".join(f"{shown_count(n):>{w}}" for n, w in zip(figures, (12, 10, 10), strict=True))
            lines.append(f"{each.name:<14}{counts}{mark}")
        return "\n".join([*lines, *_MEANINGS.spoken().split("\n")])


def plan_budget(
    seconds: float, on: Cluster | Machine, *, vocab_size: int = 1024, context_length: int = 256, **assumptions: Any
) -> BudgetPlan:
    """The model that learns most in a time, and how many tokens it reads.

    Args:
        seconds: the time.
        on: the hardware; a machine as :func:`minigpt.bench.probe_machine` measures it.
        vocab_size: V of the models that are tried.
        context_length: T, in tokens.
        assumptions: as for :func:`minigpt.cost.estimates.estimate`.
    """
    made = []
    for config in _sizes(vocab_size, context_length):
        one = estimate(config, 1e6, on, **assumptions)
        assert one.seconds is not None
        fitting = estimate(config, 1e6 * seconds / one.seconds, on, **assumptions)
        made.append(SizedRun(estimate=fitting, best_tokens=approach_1_tokens(one.parameters)))
    best = min(made, key=lambda each: max(each.balance, 1 / each.balance))
    return BudgetPlan(seconds=seconds, candidates=tuple(made), best=best)


def _sizes(vocab_size: int, context_length: int) -> list[GPTConfig]:
    """Models of the parts of GPT-2, from 64 to 6144 wide, and the presets between."""
    own = {(HEAD_WIDTH * k, max(2, k), k) for k in MULTIPLES}
    own |= {(p["d_model"], p["n_layers"], p["n_heads"]) for p in PRESETS.values() if "norm" not in p}
    sizes = (
        GPTConfig(vocab_size=vocab_size, context_length=context_length, d_model=d, n_layers=layers, n_heads=heads)
        for d, layers, heads in own
    )
    return sorted(sizes, key=lambda config: config.n_parameters)
