"""kernels/flash_*.py through kernels/fused_attention.py: the numbers. ``make test-kernels`` runs the whole matrix."""

import math
import sys
from dataclasses import replace

import pytest
import torch
from attention_cases import (
    DEVICE,
    LAYOUTS,
    Case,
    check,
    check_far_apart,
    check_low_scores,
    check_nothing_seen,
    computed,
    inputs,
    matrix,
    surroundings,
)
from torch.nn import functional as F

from minigpt import equations
from minigpt.kernels import fused_attention as kernels

# numpy, which interprets the kernels, warns of what a GPU computes in silence: log2(0), 2**big in a masked place.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")


def attention(q, k, v, blocks=(32, 32), **options):
    with surroundings(blocks):
        return kernels.fused_attention(q, k, v, **options)


def normal(*shape, dtype=torch.float32):
    return torch.randn(shape, dtype=dtype).to(DEVICE)


def test_the_matrix_is_large():
    assert len(matrix()) >= 150


@pytest.mark.parametrize("case", matrix()[::7], ids=str)
def test_a_sample_of_outputs_and_gradients_are_those_of_the_formula_in_float64(case, note_errors):
    note_errors(case.dtype, check(case))


def test_the_output_is_the_equation_taken_literally():
    q, k, v = normal(5, 3), normal(4, 3), normal(4, 3)
    expected = equations.get("scaled-attention").evaluate(q=q.double().cpu(), k=k.double().cpu(), v=v.double().cpu())
    o, _ = attention(q[None, None], k[None, None], v[None, None], causal=False)
    torch.testing.assert_close(o[0, 0].cpu(), torch.from_numpy(expected).float(), rtol=0, atol=2e-6)


def test_the_seeds_formula_is_the_one_with_scale_1():
    v = normal(6, 4)
    expected = equations.get("attention-output").evaluate(v=v.double().cpu())
    o, _ = attention(v[None, None], v[None, None], v[None, None], causal=False, scale=1)
    torch.testing.assert_close(o[0, 0].cpu(), torch.from_numpy(expected).float(), rtol=0, atol=2e-6)


def test_it_is_pytorchs_scaled_dot_product_attention():
    q, k, v = normal(2, 4, 37, 16), normal(2, 2, 37, 16), normal(2, 2, 37, 16)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(attention(q, k, v)[0], expected)


@pytest.mark.parametrize("options", [{}, {"window": 20}], ids=str)
def test_the_future_changes_no_bit_of_the_past(options):
    q, k, v = normal(1, 1, 50, 16), normal(1, 1, 70, 16), normal(1, 1, 70, 16)
    before = attention(q, k, v, **options)
    k[:, :, 45:] += 1
    v[:, :, 45:] += 1
    after = attention(q, k, v, **options)
    assert all(x[:, :, :25].equal(y[:, :, :25]) for x, y in zip(before, after, strict=True))
    assert all(x[:, :, 25:].ne(y[:, :, 25:]).any(-1).all() for x, y in zip(before, after, strict=True))


def test_what_a_window_has_passed_changes_no_bit():
    q, k, v = normal(1, 1, 90, 16), normal(1, 1, 90, 16), normal(1, 1, 90, 16)
    before, _ = attention(q, k, v, window=20)
    k[:, :, :30] += 1
    after, _ = attention(q, k, v, window=20)
    assert before[:, :, 49:].equal(after[:, :, 49:])
    assert not before[:, :, 30:49].equal(after[:, :, 30:49])


def test_two_halves_of_the_keys_merged_by_their_log_sum_exp_are_the_whole():
    q, k, v, do = (normal(1, 2, 33, 16).requires_grad_(i < 3) for i in range(4))
    whole, lse = attention(q, k, v, causal=False)
    (o_1, lse_1), (o_2, lse_2) = (
        attention(q, k[:, :, part], v[:, :, part], causal=False) for part in (slice(17), slice(17, None))
    )
    total = torch.logaddexp(lse_1, lse_2)
    merged = o_1 * (lse_1 - total).exp()[..., None] + o_2 * (lse_2 - total).exp()[..., None]
    torch.testing.assert_close(total, lse, rtol=0, atol=3e-6)
    torch.testing.assert_close(merged, whole, rtol=0, atol=4e-6)
    expected, actual = (torch.autograd.grad(x, (q, k, v), do, retain_graph=True) for x in (whole, merged))
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-5)


def test_the_same_bits_come_out_every_time_and_from_every_layout():
    case = Case(45, 61, torch.bfloat16, heads=(4, 2), batch=2)
    runs = [computed(inputs(replace(case, layouts=layouts)), case) for layouts in (LAYOUTS[0], LAYOUTS[0], LAYOUTS[3])]
    for again in runs[1:]:
        assert all(again[name].equal(runs[0][name]) for name in runs[0])


def test_a_query_that_sees_nothing_gets_zero_and_gives_no_gradient():
    check_nothing_seen()


def test_scores_far_below_zero_lose_nothing():
    check_low_scores()


@pytest.mark.skipif(sys.platform != "linux" or DEVICE == "cuda", reason="needs Linux's promised memory, on the CPU")
def test_offsets_past_two_to_the_31_are_right():
    check_far_apart()


@pytest.mark.parametrize("n_keys", [0, 5])
def test_without_keys_the_output_is_zero_and_without_queries_there_is_none(n_keys):
    q, k = normal(2, 2, 5 - n_keys, 16).requires_grad_(), normal(2, 2, n_keys, 16).requires_grad_()
    o, lse = attention(q, k, k)
    assert o.shape == q.shape and (o == 0).all() and (lse == -math.inf).all()
    gradients = torch.autograd.grad(o.sum(), (q, k))
    assert all((gradient == 0).all() for gradient in gradients)


def test_scores_a_thousand_times_larger_pick_the_largest():
    q, k, v = normal(1, 1, 40, 16), normal(1, 1, 40, 16), normal(1, 1, 40, 16)
    o, lse = attention(1000 * q, k, v, causal=False)
    scores = 250 * q @ k.mT
    assert lse.isfinite().all()
    torch.testing.assert_close(o, (scores.double().softmax(-1) @ v.double()).float(), rtol=0, atol=5e-4)


@pytest.mark.parametrize("options", [{}, {"window": 3}, {"causal": False, "scale": 1.0}], ids=str)
def test_gradients_are_those_of_finite_differences(options):
    case = Case(5, 7, torch.float64, width=3, heads=(2, 1))
    q, k, v = (x.detach().requires_grad_() for x in list(inputs(case).values())[:3])
    assert torch.autograd.gradcheck(lambda *x: attention(*x, **options), (q, k, v), fast_mode=True)
