"""What is declared beside a field: its type, the range of its numbers, the rule that it follows, and its mark.

::

    warmup_steps: Annotated[int | None, Range(0, 1000), Rule("min(100, steps // 20)")] = None
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_origin, get_type_hints

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Rule:
    """What a field is where it is ``None``.

    Attributes:
        formula: an expression of other fields, such as "learning_rate / 10".
        when: a condition on other fields; where it is false the field stays ``None``.
    """

    formula: str
    when: str = "True"

    def value(self, names: Mapping[str, Any]) -> Any:
        """The formula's value, or ``None`` where the condition is false."""
        scope = {"__builtins__": {}, "min": min, "max": max, "log": math.log}
        return eval(self.formula, scope, dict(names)) if eval(self.when, scope, dict(names)) else None


@dataclass(frozen=True)
class Range:
    """The numbers that a field may be; NaN is in no range.

    Attributes:
        least: smallest number.
        most: largest number; an int where the field is a whole number.
        ends: which of the two belong to the range: ``[`` or ``]`` if it does, ``(`` or ``)`` if it does not.
        hint: end of the message about a number outside, such as "; GPT-2 has 0.02".
    """

    least: float
    most: float = math.inf
    ends: Literal["[]", "[)", "(]", "()"] = "[]"
    hint: str = ""

    def holds(self, value: float) -> bool:
        """Whether a number is in the range."""
        above = value >= self.least if self.ends[0] == "[" else value > self.least
        below = value <= self.most if self.ends[1] == "]" else value < self.most
        return above and below

    def __str__(self) -> str:
        """What a number has to be, in words: "be a whole number from 1 to 10", "lie in [0, 1)"."""
        if isinstance(self.most, int):
            return f"be a whole number from {self.least:,} to {self.most:,}"
        if self.most == math.inf:
            finite = "a finite number " if self.ends[1] == ")" else ""
            return f"be {finite}{'of at least' if self.ends[0] == '[' else 'greater than'} {self.least:g}"
        return f"lie in {self.ends[0]}{self.least:g}, {self.most:g}{self.ends[1]}"


class Mark(Enum):
    """What a change of a field can do to a run; a field without a mark decides its weights."""

    WATCHED = "what is shown and kept"
    SAME_NUMBERS = "how a number is computed, but not which"


@cache
def kinds(part: Any) -> dict[str, Any]:
    """The type of each field, with what is declared beside it."""
    hints = get_type_hints(part, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(part)}


def rule_of(part: Any, name: str) -> Rule | None:
    """The rule of a field, if it follows one."""
    return declared(kinds(part)[name], Rule)


@cache
def marked(part: Any, *marks: Mark) -> frozenset[str]:
    """The names of the fields that have one of these marks."""
    return frozenset(name for name, kind in kinds(part).items() if declared(kind, Mark) in marks)


def declared(kind: Any, what: type[_Kind]) -> _Kind | None:
    """The first thing of a class that is declared beside a type: a rule, a range or a mark."""
    beside = kind.__metadata__ if get_origin(kind) is Annotated else ()
    return next((each for each in beside if isinstance(each, what)), None)
