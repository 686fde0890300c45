import numpy as np
import pytest
import torch

from minigpt.evaluation.fairness import bootstrap, bootstrap_p, holm


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
    values = torch.tensor([1.0, 3.0])  # mean 2; resampled means 1, 2, 3 lie 1, 0, 1 from it: none as far as 2
    resamples = torch.tensor([[0, 0], [0, 1], [1, 1]])
    assert bootstrap_p(values, resamples).item() == 1 / 4
    # mean 1; resampled means -1, 1, 3 lie 2, 0, 2 from it: two of them
    assert bootstrap_p(torch.tensor([-1.0, 3.0]), resamples).item() == 3 / 4


def test_the_interval_is_that_of_the_resampled_means():
    values = np.random.default_rng(1).gamma(1.0, size=11)
    row = bootstrap(values, level=0.9, n_resamples=20_000, seed=5)
    other = np.random.default_rng(99)
    means = [values[other.integers(0, 11, 11)].mean() for _ in range(20_000)]
    np.testing.assert_allclose([row.low, row.high], np.quantile(means, [0.05, 0.95]), atol=0.02)
    assert (row.mean, row.n) == (pytest.approx(values.mean()), 11)


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [([], {}, "got 0 values"), ([1.0, np.nan], {}, "expected finite"), ([1.0], {"level": 1.0}, "level=1.0")],
)
def test_what_cant_be_resampled_is_refused(values, options, says):
    with pytest.raises(ValueError, match=says):
        bootstrap(np.array(values), **options)
