import math

import pytest
import torch

from minigpt.model import log_softmax, log_sum_exp, softmax


def literal_softmax(row):
    total = sum(math.exp(z) for z in row)
    return [math.exp(z) / total for z in row]


def test_softmax_is_exp_over_the_sum_of_exps(assert_near):
    z = torch.randn(3, 7, dtype=torch.float64)
    assert_near(softmax(z), torch.tensor([literal_softmax(row) for row in z.tolist()], dtype=torch.float64))


def test_log_softmax_is_the_log_of_softmax(assert_near):
    z = torch.randn(3, 7, dtype=torch.float64)
    expected = torch.tensor([[math.log(p) for p in literal_softmax(row)] for row in z.tolist()], dtype=torch.float64)
    assert_near(log_softmax(z), expected)


def test_log_sum_exp_is_the_log_of_the_sum_of_exps(assert_near):
    z = torch.randn(3, 7, dtype=torch.float64)
    expected = torch.tensor([math.log(sum(math.exp(x) for x in row)) for row in z.tolist()], dtype=torch.float64)
    assert_near(log_sum_exp(z), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_softmax_agrees_with_torch_at_any_size_of_score(dtype, factor, assert_near):
    z = (factor * torch.randn(5, 129)).to(dtype)
    assert_near(softmax(z), torch.softmax(z.double(), -1))
    assert_near(log_softmax(z), torch.log_softmax(z.double(), -1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adding_a_constant_to_the_scores_changes_nothing(dtype, assert_near):
    z = torch.randn(4, 9, dtype=dtype)
    assert_near(softmax(z + 100), softmax(z).double(), scale=100)


def test_a_row_of_minus_infinity_gives_zeros_and_finite_gradients():
    z = torch.full((2, 5), -math.inf, dtype=torch.float64)
    z[1] = torch.arange(5)
    z.requires_grad_()
    p = softmax(z)
    assert p[0].eq(0).all() and p[1].sum().item() == pytest.approx(1)
    p.square().sum().backward()
    assert torch.isfinite(z.grad).all()
    assert log_sum_exp(z)[0] == -math.inf


def test_gradients_are_those_of_finite_differences():
    z = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(softmax, z)
    assert torch.autograd.gradcheck(log_softmax, z)
    assert torch.autograd.gradcheck(log_sum_exp, z)
