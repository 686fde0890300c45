import pickle

import pytest
import torch

from minigpt.learn.pure_functions import NONLINEARITIES, PureFunction


@pytest.fixture(params=NONLINEARITIES)
def function(request):
    return PureFunction(request.param, torch.tensor([[1.0, -2.0], [0.5, 3.0]]))


def test_a_pure_function_survives_the_way_to_another_process(function):
    x = torch.randn(3, 2)
    torch.testing.assert_close(pickle.loads(pickle.dumps(function))(x), function(x), rtol=0, atol=0)


def test_a_pure_function_is_not_linear_and_computes_in_the_dtype_of_its_input(function):
    x = torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
    assert function(x).dtype == torch.float64
    assert not torch.allclose(function(-x), -function(x)) or not torch.allclose(function(2 * x), 2 * function(x))


def test_a_pure_function_shows_its_formula_and_its_matrix():
    shown = repr(PureFunction("tanh(x W)", torch.tensor([[1.0, -2.0], [0.5, 1 / 3]])))
    assert shown == "x ↦ tanh(x W) with W = [[1.0, -2.0], [0.5, 0.333]]"


def test_the_formula_is_what_is_computed():
    x, w = torch.randn(4, 2), torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    y = x @ w
    by_hand = {
        "tanh(x W)": 1 - 2 / (torch.exp(2 * y) + 1),
        "sin(x W)": torch.exp(1j * y).imag,
        "max(x W, 0)": y.clamp(min=0),
        "|x W|": (y * y).sqrt(),
        "(x W)² / 4": (y / 2) ** 2,
    }
    assert set(by_hand) == set(NONLINEARITIES)
    for form, expected in by_hand.items():
        torch.testing.assert_close(PureFunction(form, w)(x), expected)
