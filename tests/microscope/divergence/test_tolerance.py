"""minigpt/microscope/divergence/tolerance.py: distances and budgets, by hand."""

import math

import pytest
import torch

from minigpt.microscope.divergence.tolerance import ROUNDINGS, budget_of, distance, first_apart


def test_a_distance_is_in_units_of_the_root_mean_square_of_the_position():
    a = torch.tensor([[3.0, 4.0], [30.0, 40.0]])
    assert distance(a, a + torch.tensor([[0.0, 0.5], [0.0, 0.0]])) == pytest.approx(0.5 / math.sqrt(12.5))
    assert distance(a, a + torch.tensor([[0.0, 0.0], [0.5, 0.0]])) == pytest.approx(0.05 / math.sqrt(12.5))


def test_where_a_position_vanishes_all_positions_are_the_measure():
    a = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    b = a + torch.tensor([[1e-6, 0.0], [0.0, 0.0]])
    assert distance(a, b) == pytest.approx(1e-6 / (1e-3 * math.sqrt(25 / 4)), rel=1e-4)
    assert distance(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_what_is_not_finite_is_equal_to_itself_only():
    a = torch.tensor([1.0, math.nan, math.inf, -math.inf])
    assert distance(a, a.clone()) == 0
    for i, other in ((0, math.nan), (1, 2.0), (2, -math.inf), (3, 5.0)):
        b = a.clone()
        b[i] = other
        assert distance(a, b) == math.inf
        assert first_apart(a, b, 1.0) == (i,)


def test_shapes_that_differ_are_infinitely_apart_and_nothing_is_no_distance():
    assert distance(torch.zeros(2, 3), torch.zeros(3, 2)) == math.inf
    assert distance(torch.zeros(2, 0), torch.zeros(2, 0)) == 0


def test_the_budget_is_that_of_the_coarser_dtype_and_grows_with_the_root_of_the_layers():
    x = torch.zeros(1)
    assert budget_of(x, x, 1) == ROUNDINGS * 2**-23
    assert budget_of(x, x, 9) == 3 * ROUNDINGS * 2**-23
    assert budget_of(x.double(), x.bfloat16(), 4) == 2 * ROUNDINGS * 2**-7
    assert budget_of(x.long(), x.long(), 4) == 0


def test_the_first_element_beyond_the_budget_is_in_the_order_of_memory():
    a = torch.ones(2, 3)
    b = a + torch.tensor([[0.0, 0.0, 1e-3], [0.5, 0.0, 0.0]])
    assert first_apart(a, b, 1e-4) == (0, 2)
    assert first_apart(a, b, 1e-2) == (1, 0)
