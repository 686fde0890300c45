import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.settings import Range, check_choice, check_types, counted, fit, meant_share, shown, whole_number


@dataclass(frozen=True, kw_only=True)
class Part:
    """One field of each kind."""

    steps: int = 3
    rate: float = 0.5
    name: Literal["a", "b"] = "a"
    on: bool = False
    place: Path | None = None
    final: float | None = None
    warmup: Annotated[int | None, Range(-100, 100, hint="; try 5")] = None

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


@pytest.mark.parametrize("number", [np.float32(3), np.float64(3), np.int8(3), np.uint64(3), 3, 3.0])
def test_a_number_of_numpy_is_a_number(number):
    part = Part(rate=number)
    assert (part.rate, type(part.rate)) == (3.0, float)


def test_an_int_that_no_float_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"^rate must be float, got a number of about 401 digits$"):
        Part(rate=10**400)


@pytest.mark.parametrize("number", [101, -101, 10**30])
def test_a_number_outside_its_range_is_named_with_the_range_and_the_hint(number):
    assert Part(warmup=-100).warmup == -100
    with pytest.raises(ValueError, match=f"^warmup={number} must be a whole number from -100 to 100; try 5$"):
        Part(warmup=number)


def test_an_empty_text_is_no_path():
    with pytest.raises(ValueError, match=r"^place must be a path or None, got ''$"):
        Part(place="")


@pytest.mark.parametrize(
    "value",
    [10**10**5, "x" * 10**6, [0] * 10**6, {"a": ["y" * 10**6]}, [10**5000], None, 1.5],
    ids=["number", "text", "list", "table", "list of a number", "none", "small"],
)
def test_a_value_is_shown_shortly_however_large_it_is(value):
    assert len(shown(value)) < 120
    with pytest.raises(ValueError, match=r"^on must be bool, got .{1,119}$"):
        Part(on=value)


def test_an_unknown_choice_is_answered_with_all_and_the_nearest():
    with pytest.raises(ValueError, match=r"^optimizer='adm' is unknown; choose one of sgd, adam; did you mean adam\?$"):
        check_choice("optimizer", "adm", ("sgd", "adam"))
    with pytest.raises(ValueError, match=r"^optimizer='SGD' is unknown; .*; did you mean sgd\?$"):
        check_choice("optimizer", "SGD", ("sgd", "adam"))
    with pytest.raises(ValueError, match=r"^optimizer='7' is unknown; choose one of sgd, adam$"):
        check_choice("optimizer", "7", ("sgd", "adam"))


@pytest.mark.parametrize("value", [[], {}, None, 3])
def test_a_choice_that_is_no_text_is_refused(value):
    with pytest.raises(ValueError, match=r"^optimizer must be one of sgd, adam, got "):
        check_choice("optimizer", value, {"sgd": 1, "adam": 2})


def test_numbers_of_numpy_are_whole_numbers_and_truth_is_none():
    assert whole_number("n", np.int32(3), 1) == 3 and type(whole_number("n", np.int32(3), 1)) is int
    for wrong in (True, 3.0, "3", None, 0):
        with pytest.raises(ValueError, match="must be a whole number, at least 1"):
            whole_number("n", wrong, 1)


def test_one_is_counted_in_the_singular():
    assert [counted(n, "step") for n in (0, 1, 2000)] == ["0 steps", "1 step", "2,000 steps"]


@pytest.mark.parametrize(
    ("value", "allowed", "hint"),
    [
        (43, Range(0.0, 1.0, "(]"), "; did you mean 0.43?"),
        (43.5, Range(0.0, 1.0), "; did you mean 0.435?"),
        (np.float64(90), Range(0.0, 1.0, "[)"), "; did you mean 0.9?"),
        (100, Range(0.0, 1.0, "(]"), "; did you mean 1?"),
        (100, Range(0.0, 1.0, "[)"), ""),  # the whole is outside, too
        (101, Range(0.0, 1.0), ""),
        (1.1, Range(0.0, 1.0), ""),  # rather 1 or 0.1 than 1.1 %
        (-5, Range(0.0, 1.0), ""),
        (math.nan, Range(0.0, 1.0), ""),
        (math.inf, Range(0.0, 1.0), ""),
        (43, Range(0.0, 2.0), ""),
        (43, Range(0, 1), ""),  # a whole number is no share
        ("43", Range(0.0, 1.0), ""),
    ],
)
def test_a_share_that_is_given_in_percent_is_recognized(value, allowed, hint):
    assert meant_share(value, allowed) == hint


def test_a_field_that_is_a_share_says_what_a_percentage_would_be():
    share = Annotated[float, Range(0.0, 1.0, "[)", ": it is a share")]
    with pytest.raises(ValueError, match=r"^dropout=10\.0 must lie in \[0, 1\): it is a share; did you mean 0\.1\?$"):
        fit("dropout", 10, share)
