import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.learn.formulas.derivative import cases, extended

# The function that implements an equation, on the names of the equation's inputs.
FUNCTIONS = {
    "softmax": ("z", lambda z: mg.softmax(z)),
    "log-softmax": ("z", lambda z: mg.log_softmax(z)),
    "cross-entropy": ("p", lambda y, p: mg.cross_entropy(y, p)),
    "layer-norm": ("x", lambda x, g, b, epsilon: mg.layer_norm(x, g, b, float(epsilon))),
    "rms-norm": ("x", lambda x, g, epsilon: mg.rms_norm(x, g, float(epsilon))),
    "gelu": ("x", lambda x: mg.gelu(x)),
    "gelu-tanh": ("x", lambda x: mg.gelu_tanh(x)),
    "attention-weights": ("v", lambda v: mg.attention_weights(v)),
    "attention-output": ("v", lambda v: mg.self_attention(v)),
    "scaled-attention": ("k", lambda q, k, v: mg.scaled_attention(q, k, v)),
    "causal-attention": ("q", lambda q, k, v: mg.causal_attention(q, k, v)),
    "cross-entropy-from-logits": ("z", lambda z, c: mg.cross_entropy_from_logits(z, c.long() - 1)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_numerical_derivative_is_that_of_autograd(name):
    symbol, function = FUNCTIONS[name]
    equation = extended(name)
    for drawn in cases(equation, equation.outputs[-1])[:3]:
        inputs = {
            key: torch.tensor(drawn.given[latex]) for key, latex in equation.inputs.items() if latex in drawn.given
        }

        def of_one(value, inputs=inputs, symbol=symbol):
            return function(**{**inputs, symbol: value})

        expected = torch.autograd.functional.jacobian(of_one, inputs[symbol])
        np.testing.assert_allclose(drawn.derivative(symbol), expected.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "exact"), [("softmax", True), ("silu", True), ("gelu", False), ("relu-squared", False)]
)
def test_a_complex_step_is_taken_where_all_operations_are_analytic(name, exact):
    equation = extended(name)
    drawn = cases(equation, equation.outputs[-1])[0]
    symbol = next(iter(drawn.symbols))
    assert drawn._is_analytic(symbol) is exact


def test_draws_have_unequal_sizes_and_the_smallest_is_first():
    equation = extended("scaled-attention")
    found = cases(equation, "o")
    sizes = [sum(value.size for value in each.given.values()) for each in found]
    assert sizes == sorted(sizes)
    assert any(len({*each.given["q"].shape, *each.given["k"].shape}) == 3 for each in found)


def test_names_can_be_kept_constant_and_varied():
    equation = extended("layer-norm")
    drawn = cases(equation, "y")[0]
    x, g, variance = (drawn.values[name] for name in ("x", "g", r"\sigma^2"))
    root = np.sqrt(variance + drawn.values[r"\epsilon"])
    np.testing.assert_allclose(drawn.derivative("x", ("\\mu", r"\sigma^2")), np.diag(g / root), rtol=1e-8, atol=1e-10)
    by_variance = -g * (x - x.mean()) / (2 * root**3)
    np.testing.assert_allclose(drawn.derivative(r"\sigma^2"), by_variance, rtol=1e-8, atol=1e-10)
    assert "D" not in drawn.symbols and r"\mu" in drawn.symbols
