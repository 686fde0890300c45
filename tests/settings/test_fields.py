import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated

import pytest

from minigpt.settings import Mark, Range, Rule, kinds, marked


@dataclass(frozen=True, kw_only=True)
class Part:
    """A field with a mark, one with a range, one with nothing."""

    warmup: Annotated[int | None, Range(0, 9), Rule("3"), Mark.WATCHED] = None
    steps: Annotated[int, Range(1, 9)] = 3
    on: bool = False


def test_a_rule_can_call_nothing_but_min_and_max():
    with pytest.raises(NameError):
        Rule("open('x')").value({})


def test_marks_are_found():
    assert marked(Part, Mark.WATCHED) == {"warmup"}
    assert marked(Part, Mark.SAME_NUMBERS) == frozenset()


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "words"),
    [
        (Range(1, 2000), [1, 2000], [0, 2001, 10**400, math.nan], "be a whole number from 1 to 2,000"),
        (Range(0.0, 1.0, "[)"), [0, 0.5], [-1e-300, 1, math.inf, math.nan], "lie in [0, 1)"),
        (Range(0.0, 1.0, "(]"), [1e-300, 1], [0, 1.1, math.nan], "lie in (0, 1]"),
        (Range(0.0, math.inf, "[)"), [0, 1e308], [-1, math.inf, math.nan], "be a finite number of at least 0"),
        (Range(0.0, math.inf, "()"), [1e-300], [0, math.inf, math.nan], "be a finite number greater than 0"),
        (Range(0.0, math.inf, "(]"), [1, math.inf], [0, -math.inf, math.nan], "be greater than 0"),
    ],
)
def test_a_range_holds_the_numbers_that_its_words_say(allowed, inside, outside, words):
    assert str(allowed) == words
    assert [allowed.holds(number) for number in inside] == [True] * len(inside)
    assert [allowed.holds(number) for number in outside] == [False] * len(outside)


def test_every_field_has_a_kind():
    assert list(kinds(Part)) == [each.name for each in dataclasses.fields(Part)]
