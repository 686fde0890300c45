import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.generation import temperature_probabilities, top_k_filter, top_p_filter
from minigpt.generation.sampling import min_p_filter


def random_logits(*shape, seed=0, dtype=torch.float64):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def literal_probabilities(z, tau):
    return [math.exp(z_i / tau) / sum(math.exp(z_k / tau) for z_k in z) for z_i in z]


def literal_renormalized(p, kept):
    mass = sum(p[k] for k in kept)
    return [p_i / mass if i in kept else 0.0 for i, p_i in enumerate(p)]


def literal_top_k(p, k):
    return literal_renormalized(p, set(sorted(range(len(p)), key=lambda i: -p[i])[:k]))


def literal_top_p(p, top_p):
    kept = set()
    for i in sorted(range(len(p)), key=lambda i: -p[i]):
        if kept and sum(p[k] for k in kept) >= top_p:
            break
        kept.add(i)
    return literal_renormalized(p, kept)


@pytest.mark.parametrize("tau", [0.25, 1.0, 3.0])
def test_temperature_is_the_formula_term_by_term(tau):
    logits = random_logits(4, 9)
    expected = torch.tensor([literal_probabilities(row, tau) for row in logits.tolist()], dtype=torch.float64)
    torch.testing.assert_close(temperature_probabilities(logits, tau), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k_is_the_formula_term_by_term(k):
    probabilities = random_logits(4, 9).softmax(-1)
    expected = torch.tensor([literal_top_k(row, k) for row in probabilities.tolist()], dtype=torch.float64)
    torch.testing.assert_close(top_k_filter(probabilities, k), expected, rtol=1e-12, atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0.001, 1))
def test_top_p_is_the_formula_term_by_term(z, top_p):
    p = torch.tensor(z, dtype=torch.float64).softmax(-1)
    running_sums = p.sort(descending=True).values.cumsum(0)
    if (running_sums - top_p).abs().min() < 1e-9:
        return  # at the boundary the rounding of the sum decides; test_top_p_boundary uses exact numbers
    expected = torch.tensor(literal_top_p(p.tolist(), top_p), dtype=torch.float64)
    torch.testing.assert_close(top_p_filter(p, top_p), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.25, [0]), (0.5, [0]), (0.5001, [0, 1]), (0.75, [0, 1]), (0.7501, [0, 1, 2]), (1.0, [0, 1, 2])],
)
def test_top_p_boundary_takes_no_token_beyond_a_mass_of_exactly_p(top_p, kept):
    probabilities = torch.tensor([0.5, 0.25, 0.25])
    assert top_p_filter(probabilities, top_p).nonzero().flatten().tolist() == kept


@pytest.mark.parametrize("top_p", [1e-300, 1e-30, 1e-3])
def test_top_p_near_zero_keeps_the_most_probable_token(top_p):
    probabilities = random_logits(4, 9, dtype=torch.float32).softmax(-1)
    torch.testing.assert_close(top_p_filter(probabilities, top_p), temperature_probabilities(probabilities, 0))


def test_top_p_of_one_keeps_a_tail_too_small_for_the_running_sum():
    probabilities = torch.tensor([1.0, 1e-10])
    torch.testing.assert_close(top_p_filter(probabilities, 1.0), probabilities, rtol=0, atol=0)


def test_top_k_keeps_exactly_k_of_equal_probabilities_lowest_ids_first():
    assert top_k_filter(torch.full((1000,), 1e-3), 3).nonzero().flatten().tolist() == [0, 1, 2]


def test_top_k_of_the_whole_vocabulary_changes_nothing():
    probabilities = random_logits(4, 9).softmax(-1)
    torch.testing.assert_close(top_k_filter(probabilities, 9), probabilities)


def test_temperature_zero_takes_the_lowest_id_among_equal_maxima():
    assert temperature_probabilities(torch.tensor([1.0, 2.0, 2.0]), 0).tolist() == [0, 1, 0]


@pytest.mark.parametrize("tau", [1e-4, 1e-38, 1e-300])
def test_a_tiny_temperature_is_greedy_without_overflow(tau):
    logits = random_logits(4, 9, dtype=torch.float32) * 1e4
    torch.testing.assert_close(temperature_probabilities(logits, tau), temperature_probabilities(logits, 0))


def test_a_high_temperature_flattens_towards_uniform():
    probabilities = temperature_probabilities(random_logits(9), 1e9)
    torch.testing.assert_close(probabilities, torch.full((9,), 1 / 9, dtype=torch.float64), rtol=1e-6, atol=0)


def test_huge_logits_do_not_overflow():
    probabilities = temperature_probabilities(torch.tensor([3e38, 3e38, -3e38]), 0.01)
    assert probabilities.tolist() == [0.5, 0.5, 0]


def test_half_precision_logits_give_float32_probabilities():
    assert temperature_probabilities(torch.zeros(2, 5, dtype=torch.bfloat16)).dtype == torch.float32


def test_a_logit_of_minus_infinity_is_never_drawn():
    assert temperature_probabilities(torch.tensor([0.0, -math.inf, 0.0])).tolist() == [0.5, 0, 0.5]


def test_a_row_of_minus_infinity_has_no_distribution():
    with pytest.raises(ValueError, match="non-finite logits: all 3 of a row are -inf, so no token can follow; loosen"):
        temperature_probabilities(torch.full((3,), -math.inf))


@pytest.mark.parametrize("temperature", [-1, math.nan, math.inf])
def test_a_temperature_below_zero_or_not_finite_is_refused(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature} must be finite and at least 0"):
        temperature_probabilities(torch.zeros(5), temperature)


@pytest.mark.parametrize("top_k", [0, -3])
def test_a_top_k_below_one_is_refused(top_k):
    with pytest.raises(ValueError, match=f"top_k={top_k} must be at least 1; use top_k=None"):
        top_k_filter(torch.full((5,), 0.2), top_k)


def test_a_top_k_above_the_vocabulary_names_both():
    with pytest.raises(ValueError, match="top_k=6 is more than the vocabulary of 5 tokens; use top_k=5"):
        top_k_filter(torch.full((5,), 0.2), 6)


@pytest.mark.parametrize("top_p", [0, -0.5, 1.5, math.nan])
def test_a_top_p_outside_zero_to_one_is_refused(top_p):
    with pytest.raises(ValueError, match=f"top_p={top_p} must be above 0 and at most 1; use top_p=None"):
        top_p_filter(torch.full((5,), 0.2), top_p)


def test_a_share_in_percent_is_answered_with_the_share():
    with pytest.raises(ValueError, match=r"top_p=90 must be above 0 and at most 1; did you mean 0\.9\?"):
        top_p_filter(torch.full((5,), 0.2), 90)
    with pytest.raises(ValueError, match=r"min_p=5 must be at least 0 and at most 1; did you mean 0\.05\?"):
        min_p_filter(torch.full((5,), 0.2), 5)


@pytest.mark.parametrize(
    ("min_p", "kept"), [(0, [0, 1, 2, 3]), (0.25, [0, 1, 2]), (0.26, [0, 1]), (0.5, [0, 1]), (1, [0])]
)
def test_min_p_keeps_what_has_that_share_of_the_largest_probability(min_p, kept):
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.125 - 2**-10], dtype=torch.float64)
    expected = torch.tensor([literal_renormalized(probabilities.tolist(), set(kept))], dtype=torch.float64)
    torch.testing.assert_close(min_p_filter(probabilities[None], min_p), expected)


@pytest.mark.parametrize("min_p", [-0.1, 1.5, math.nan])
def test_min_p_outside_its_range_is_refused(min_p):
    with pytest.raises(ValueError, match=r"min_p=.* must be at least 0 and at most 1"):
        min_p_filter(torch.tensor([0.5, 0.5]), min_p)
