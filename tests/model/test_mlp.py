import math

import pytest
import torch

from minigpt.model import MLP, SwiGLU, gelu, gelu_tanh, relu_squared, silu
from minigpt.model.mlp import ACTIVATIONS

FORMULAS = {"gelu": gelu, "gelu-tanh": gelu_tanh, "relu2": relu_squared, "relu": torch.relu}
LITERAL = {
    "gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
    "gelu-tanh": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
    "relu2": lambda x: x * x if x > 0 else 0.0,
    "relu": lambda x: x if x > 0 else 0.0,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_each_activation_and_its_fast_twin_are_the_formula(name, dtype, assert_near):
    x = torch.linspace(-4, 4, 101, dtype=dtype)
    expected = torch.tensor([LITERAL[name](value) for value in x.tolist()], dtype=torch.float64)
    assert_near(FORMULAS[name](x), expected)
    assert_near(ACTIVATIONS[name](x), expected)


def test_the_two_gelus_are_close_and_not_equal():
    x = torch.linspace(-3, 3, 61, dtype=torch.float64)
    difference = (gelu(x) - gelu_tanh(x)).abs().max()
    assert 1e-5 < difference < 1e-3


def test_silu_is_x_over_one_plus_exp_of_minus_x(assert_near):
    x = torch.linspace(-5, 5, 11, dtype=torch.float64)
    assert_near(silu(x), torch.tensor([v / (1 + math.exp(-v)) for v in x.tolist()], dtype=torch.float64))
    assert torch.isfinite(silu(torch.tensor([-1000.0, 1000.0]))).all()


def test_mlp_is_its_two_matrices_with_the_activation_between(assert_near):
    mlp = MLP(3, 5, "gelu").double()
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    hidden = gelu(x @ mlp.expand.weight.T + mlp.expand.bias)
    assert_near(mlp(x), hidden @ mlp.contract.weight.T + mlp.contract.bias)


def test_swiglu_gates_one_map_by_another(assert_near):
    mlp = SwiGLU(3, 5).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    hidden = silu(x @ mlp.gate.weight.T) * (x @ mlp.expand.weight.T)
    assert_near(mlp(x), hidden @ mlp.contract.weight.T)
