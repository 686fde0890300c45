"""minigpt/cost/scaling/chinchilla.py: the published rows, and the minimum that is looked for by trying."""

import numpy as np
import pytest
from published_rows import CHINCHILLA_ROWS

from minigpt.cost.scaling import CHINCHILLA, CHINCHILLA_REFIT, ScalingLaw, approach_1_tokens, compute_optimal
from minigpt.cost.scaling.chinchilla import APPROACH_1

UNROUNDED = ScalingLaw(E=np.exp(0.52672), A=np.exp(6.00734), alpha=0.33917, B=np.exp(6.01792), beta=0.28491)


@pytest.mark.parametrize(("law", "per_parameter"), [(CHINCHILLA, 92.6), (UNROUNDED, 59.1), (CHINCHILLA_REFIT, 18.4)])
def test_tokens_per_parameter_at_the_budget_of_chinchilla(law, per_parameter):
    size, tokens = compute_optimal(law, 5.76e23)
    assert tokens / size == pytest.approx(per_parameter, rel=5e-3)
    assert 6 * size * tokens == pytest.approx(5.76e23)


@pytest.mark.parametrize("law", [CHINCHILLA, CHINCHILLA_REFIT])
def test_the_best_size_has_the_least_loss_of_all_for_the_budget(law):
    size, tokens = compute_optimal(law, 1e21)
    sizes = np.geomspace(size / 30, size * 30, 4001)
    losses = [law.loss(n, 1e21 / (6 * n)) for n in sizes]
    assert sizes[int(np.argmin(losses))] == pytest.approx(size, rel=4e-3)
    assert law.loss(size, tokens) <= min(losses) * (1 + 1e-12)


def test_the_table_is_that_of_the_source_and_its_rows_come_out():
    assert [(size, tokens) for size, _, tokens in CHINCHILLA_ROWS[1]] == list(APPROACH_1)
    for size, flops, tokens in CHINCHILLA_ROWS[1]:
        assert approach_1_tokens(size) == pytest.approx(tokens)
        assert 6 * size * approach_1_tokens(size) == pytest.approx(flops, rel=0.05)  # 1.5T is printed with two digits


def test_between_rows_and_beyond_them_it_is_a_power_law():
    low, high = APPROACH_1[1], APPROACH_1[2]
    middle = (low[0] * high[0]) ** 0.5
    assert approach_1_tokens(middle) == pytest.approx((low[1] * high[1]) ** 0.5)
    for size in (1e5, 1e6, 4e8, 1e14):
        assert 15 < approach_1_tokens(size) / size < 25
    sizes = np.geomspace(1e4, 1e15, 500)
    assert (np.diff([approach_1_tokens(size) for size in sizes]) > 0).all()


def test_a_law_without_tokens_is_that_of_the_size():
    assert ScalingLaw(E=0.5, A=10, alpha=0.5).loss(100) == 1.5
