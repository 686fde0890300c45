import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.settings import Mark, Rule, check_types, kinds, marked, overlaid, resolved, to_object


@dataclass(frozen=True, kw_only=True)
class Part:
    """One field of each kind."""

    steps: int = 3
    rate: float = 0.5
    name: Literal["a", "b"] = "a"
    on: bool = False
    place: Path | None = None
    final: Annotated[float | None, Rule("rate / 10")] = None
    warmup: Annotated[int | None, Rule("min(100, steps // 20)", when="on"), Mark.WATCHED] = None

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A part in a whole."""

    part: Part = field(default_factory=Part)
    out: Path = Path("x")

    def __post_init__(self) -> None:
        check_types(self)


VALUES = [1, 1.5, True, None, "a", "7", [1], {"a": 1}, math.nan]
FITS = {
    "steps": lambda v: type(v) is int,
    "rate": lambda v: type(v) in (int, float),
    "name": lambda v: type(v) is str,
    "on": lambda v: type(v) is bool,
    "place": lambda v: v is None or type(v) is str,
    "final": lambda v: v is None or type(v) in (int, float),
    "warmup": lambda v: v is None or type(v) is int,
}


@given(name=st.sampled_from(sorted(FITS)), value=st.sampled_from(VALUES))
def test_a_field_takes_values_of_its_type_and_no_others(name, value):
    if FITS[name](value):
        assert getattr(Part(**{name: value}), name) == pytest.approx(value, nan_ok=True) or name == "place"
        return
    with pytest.raises(ValueError, match=f"^{name} must be .*, got"):
        Part(**{name: value})


def test_nothing_is_lost_by_a_conversion():
    part = Part(steps=np.int64(4), rate=2, place="a/b")
    assert (part.steps, part.rate, part.place) == (4, 2.0, Path("a/b"))
    assert (type(part.steps), type(part.rate)) == (int, float)


def test_a_rule_gives_the_value_of_its_text_and_only_where_its_condition_holds():
    assert resolved(Part(rate=2.0)).final == 0.2
    assert resolved(Part(final=0.0)).final == 0.0
    assert resolved(Part(steps=500)).warmup is None
    assert resolved(Part(steps=500, on=True)).warmup == 25


def test_a_rule_reads_names_that_are_given_beside_the_part_and_values_before_it_in_the_order_of_the_fields():
    @dataclass(frozen=True, kw_only=True)
    class Chain:
        first: Annotated[int | None, Rule("2 * width")] = None
        second: Annotated[int | None, Rule("first + 1")] = None

    chain = resolved(Chain(), width=8)
    assert (chain.first, chain.second) == (16, 17)


def test_a_rule_can_call_nothing_but_min_and_max():
    with pytest.raises(NameError):
        Rule("open('x')").value({})


def test_marks_are_found():
    assert marked(Part, Mark.WATCHED) == {"warmup"}
    assert marked(Part, Mark.SAME_NUMBERS) == frozenset()


@pytest.mark.parametrize("whole", [Whole(), Whole(part=Part(rate=math.inf, place="p", name="b", on=True), out="o")])
def test_a_whole_goes_to_strict_json_and_back(whole):
    text = json.dumps(to_object(whole), allow_nan=False)
    assert overlaid(Whole(), json.loads(text)) == whole


def test_what_a_table_leaves_out_keeps_its_value():
    base = Whole(part=Part(steps=9, name="b"))
    assert overlaid(base, {"part": {"rate": 1}}) == Whole(part=Part(steps=9, name="b", rate=1.0))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"part": {"stps": 3}}, r"part\.stps is not a setting; did you mean steps\?"),
        ({"part": {"steps": 1.5}}, r"part\.steps must be int, got 1\.5"),
        ({"part": {"on": "no"}}, r"part\.on must be bool, got 'no'"),
        ({"part": 3}, "part must be a table of settings, got 3"),
        ({"out": None}, "out must be a path, got None"),
    ],
)
def test_a_wrong_entry_of_a_table_is_named_by_its_path(table, message):
    with pytest.raises(ValueError, match=message):
        overlaid(Whole(), table)


def test_a_table_can_set_a_value_to_none_by_the_word():
    assert overlaid(Whole(part=Part(place="p")), {"part": {"place": "none"}}).part.place is None


def test_every_field_has_a_kind():
    assert list(kinds(Part)) == [each.name for each in dataclasses.fields(Part)]
