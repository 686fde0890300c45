"""minigpt/cost/scaling/repeated.py: the values of the authors' own code."""

from itertools import pairwise

import pytest

from minigpt.cost.scaling import repeated_data_loss
from minigpt.cost.scaling.repeated import REPEATED


@pytest.mark.parametrize(
    ("size", "tokens", "loss"), [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)]
)
def test_the_two_models_of_figure_1_have_the_published_losses(size, tokens, loss):
    assert repeated_data_loss(size, tokens, 25e9) == pytest.approx(loss, rel=1e-12)


def test_data_that_is_read_once_is_worth_what_it_is():
    small = 1e8  # and the model is not too large for it
    assert repeated_data_loss(small, 20e9, 20e9) == pytest.approx(REPEATED.loss(small, 20e9))
    assert repeated_data_loss(small, 20e9, 90e9) == pytest.approx(REPEATED.loss(small, 20e9))


def test_every_repetition_is_worth_less():
    losses = [repeated_data_loss(1e9, 1e10 * epochs, 1e10) for epochs in (1, 2, 4, 16, 64, 256, 1024)]
    gains = [a - b for a, b in pairwise(losses)]
    assert all(gain >= 0 for gain in gains)
    assert gains[-1] < 1e-6 < gains[0]
