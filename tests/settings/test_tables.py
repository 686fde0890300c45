import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from minigpt.settings import Mark, Rule, check_types, overlaid, resolved, to_object


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
        ({"out": ""}, "out must be a path, got ''"),
        ([], r"must be a table of settings, got \[\]"),
        ({"part": []}, r"part must be a table of settings, got \[\]"),
        ({5: 1}, "5 is not a setting"),
        ({"x" * 10**6: 1}, "^x{100} is not a setting$"),
    ],
)
def test_a_wrong_entry_of_a_table_is_named_by_its_path(table, message):
    with pytest.raises(ValueError, match=message):
        overlaid(Whole(), table)


def test_a_table_can_set_a_value_to_none_by_the_word():
    assert overlaid(Whole(part=Part(place="p")), {"part": {"place": "none"}}).part.place is None
