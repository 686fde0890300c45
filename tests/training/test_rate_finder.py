import copy
import math

import pytest
import torch

import minigpt as mg
from minigpt.training import RateSearch, TrainConfig

CONFIG = TrainConfig(batch_size=8, device="cpu")


def test_the_rate_that_it_finds_trains_the_model_and_its_tenfold_does_worse(make_model, data):
    search = mg.find_learning_rate(make_model(), data, CONFIG, steps=40)
    losses = []
    for rate in (search.suggestion, 40 * search.suggestion, search.suggestion / 100):
        config = TrainConfig(steps=40, batch_size=8, learning_rate=rate, device="cpu")
        losses.append(mg.train(make_model(), data, config, validation=data, progress=False).validation_loss)
    assert losses[0] < 0.7 * math.log(data.vocab_size) and losses[0] < min(losses[1:])


def test_the_model_and_the_global_generator_are_left_as_they_were(make_model, data):
    model = make_model()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    mg.find_learning_rate(model, data, CONFIG, steps=5)
    assert all(before[name].equal(value) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_rates_rise_by_equal_factors_and_the_first_loss_is_that_of_the_untrained_model(make_model, data):
    search = mg.find_learning_rate(make_model(), data, CONFIG, low=1e-4, high=1e-2, steps=5)
    assert search.rates == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    inputs, targets = data.batch(0, 8, seed=0)
    assert search.losses[0] == pytest.approx(mg.next_token_loss(make_model()(inputs), targets).item(), rel=1e-6)


def test_the_search_ends_where_the_loss_rises(make_model, data):
    search = mg.find_learning_rate(make_model(), data, CONFIG, low=1e-3, high=1e3, steps=60)
    assert len(search.rates) < 60 and search.turn < search.rates[-1]


def test_the_smoothed_loss_is_a_mean_of_those_before_in_which_older_ones_fade():
    smoothed = RateSearch([1.0, 2.0, 3.0], [4.0, 2.0, 1.0]).smoothed
    shares = torch.tensor([0.81, 0.9, 1.0])
    assert smoothed[0] == 4.0
    assert smoothed[1] == pytest.approx((0.9 * 4 + 2) / 1.9)
    assert smoothed[2] == pytest.approx(float(shares @ torch.tensor([4.0, 2.0, 1.0]) / shares.sum()))


def test_it_says_what_to_try_and_draws_it(make_model, data):
    search = mg.find_learning_rate(make_model(), data, CONFIG, steps=5)
    assert f"try learning_rate={search.suggestion:.1e}" in str(search)
    (axes,) = search.plot().axes
    assert axes.get_xscale() == "log" and list(axes.lines[0].get_ydata()) == search.losses


@pytest.mark.parametrize("wrong", [{"low": 0.0}, {"low": 2.0}, {"high": math.inf}, {"steps": 1}])
def test_what_is_no_ramp_is_refused(make_model, data, wrong):
    with pytest.raises(ValueError, match="expected 0 < low < high and at least 2 steps"):
        mg.find_learning_rate(make_model(), data, CONFIG, **wrong)
