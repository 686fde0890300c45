import math

import pytest
import torch

from minigpt.checks import CHECKS, Draw, compared, largest_error
from minigpt.equations import Equation


@pytest.fixture
def doubling(monkeypatch):
    """An equation whose check gives what a function makes of three numbers."""

    def equation(function):
        monkeypatch.setitem(CHECKS, "double", lambda function, draw: ({"x": (x := draw.normal(3))}, function(x)))
        return Equation("double", r"y_i = 2 x_i", symbols={"x": "(n) numbers"}, function=function)

    return equation


def test_a_function_that_is_its_equation_has_no_error(doubling):
    assert largest_error(doubling(lambda x: x + x)) == 0


def test_the_error_is_relative_to_the_largest_number(doubling):
    assert largest_error(doubling(lambda x: 2.002 * x)) == pytest.approx(0.001)


def test_another_shape_and_no_number_are_infinite_errors(doubling):
    assert largest_error(doubling(lambda x: 2 * x[None])) == math.inf
    assert largest_error(doubling(lambda x: x * math.nan)) == math.inf


def test_a_check_must_answer_each_row(doubling):
    equation = doubling(lambda x: {"z": 2 * x})
    with pytest.raises(ValueError, match="the check of 'double' gives z; expected y"):
        compared(equation, Draw.seeded(0))


def test_the_same_seed_draws_the_same_numbers_in_any_dtype():
    double, single = Draw.seeded(3).normal(2, 4), Draw.seeded(3, torch.float32).normal(2, 4)
    assert single.dtype == torch.float32
    assert double.to(torch.float32).equal(single)
    assert not Draw.seeded(4).normal(2, 4).equal(double)


def test_sixteenths_are_a_distribution_that_every_dtype_holds_exactly():
    p = Draw.seeded(0, torch.bfloat16).sixteenths(5)
    assert p.sum() == 1
    assert (16 * p).frac().eq(0).all()
