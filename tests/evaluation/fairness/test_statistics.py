from itertools import product

import numpy as np
import pytest
import torch

from minigpt.evaluation.fairness import bootstrap, holm, sign_flip_p


def test_holm_rejects_what_the_stepwise_procedure_rejects():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, alpha = rng.choice([0.001, 0.01, 0.012, 0.02, 0.04, 0.3], size=rng.integers(1, 7)), 0.05
        rejected = np.zeros(len(p), dtype=bool)
        for step, i in enumerate(np.argsort(p, kind="stable")):
            if p[i] > alpha / (len(p) - step):
                break
            rejected[i] = True
        assert (holm(torch.from_numpy(p)).numpy() <= alpha).tolist() == rejected.tolist()


def test_p_of_two_items_by_hand():
    signs = torch.tensor([[1, -1], [-1, 1], [-1, -1]])  # with 1 and 3: sums -2, 2, -4 beside 4: one of them as far
    assert sign_flip_p(torch.tensor([1.0, 3.0]), signs).item() == 2 / 4
    # with -1 and 3: sums -4, 4, -2 beside 2: all of them
    assert sign_flip_p(torch.tensor([-1.0, 3.0]), signs).item() == 1


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 11])
def test_p_of_few_items_is_that_of_all_patterns_of_signs(n):
    tenths = np.random.default_rng(n).integers(-9, 20, n)  # sums of tenths are equal but for their rounding
    sums = [abs(sum(s * int(x) for s, x in zip(signs, tenths, strict=True))) for signs in product((1, -1), repeat=n)]
    expected = np.mean([each >= abs(tenths.sum()) for each in sums])
    assert bootstrap(tenths / 10).p == pytest.approx(expected, abs=1e-12)


def test_p_of_more_items_is_close_to_that_of_all_patterns_of_signs():
    values = np.random.default_rng(3).normal(0.3, 1, 15)
    sums = np.array(list(product((1, -1), repeat=15))) @ values
    assert bootstrap(values, n_resamples=4000).p == pytest.approx((abs(sums) >= abs(values.sum())).mean(), abs=0.025)


@pytest.mark.parametrize("n", [1, 3, 4, 6, 10, 14])
def test_without_a_gap_p_is_below_a_level_no_more_often_than_the_level(n):
    draws = np.random.default_rng(n).normal(size=(800, n))
    assert np.mean([bootstrap(row, n_resamples=1023).p <= 0.05 for row in draws]) <= 0.06
    assert np.mean([bootstrap(row, n_resamples=1023).p <= 0.25 for row in draws]) <= 0.29


@pytest.mark.parametrize(
    "values", [[0.5, 1.5], torch.tensor([0.5, 1.5]).bfloat16(), torch.tensor([0.5, 1.5]).requires_grad_()]
)
def test_items_may_be_a_list_or_a_tensor_of_any_kind(values):
    assert bootstrap(values) == bootstrap(np.array([0.5, 1.5]))


def test_holm_takes_a_list_and_refuses_what_is_no_probability():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    for wrong in ([0.1, 1.5], ["x"], [[0.1]], [float("nan")]):
        with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
            holm(wrong)


def test_the_interval_is_that_of_the_resampled_means():
    values = np.random.default_rng(1).gamma(1.0, size=11)
    row = bootstrap(values, level=0.9, n_resamples=20_000, seed=5)
    other = np.random.default_rng(99)
    means = [values[other.integers(0, 11, 11)].mean() for _ in range(20_000)]
    np.testing.assert_allclose([row.low, row.high], np.quantile(means, [0.05, 0.95]), atol=0.02)
    assert (row.mean, row.n) == (pytest.approx(values.mean()), 11)


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        ([], {}, "got 0 values"),
        ([1.0, np.nan], {}, "expected finite"),
        ([1.0], {"level": 1.0}, "level=1.0"),
        ([1.0], {"level": 95}, r"level=95\.0 must lie in \(0, 1\), such as 0\.95; did you mean 0\.95\?"),
        ([1.0], {"level": "95"}, "level must be float"),
        ([1.0], {"n_resamples": 1.5}, "n_resamples=1.5"),
        ([1.0], {"n_resamples": True}, "n_resamples=True"),
        ([[1.0]], {}, r"shape \(1, 1\)"),
        (["x"], {}, "expected finite numbers"),
    ],
)
def test_what_cant_be_resampled_is_refused(values, options, says):
    with pytest.raises(ValueError, match=says):
        bootstrap(values, **options)
