import math

import pytest

from minigpt.training import SCHEDULES, TrainConfig, warmup_cosine
from minigpt.training.schedule import warmup_constant, warmup_linear, warmup_stable_decay

SHAPE = {"peak": 0.4, "final": 0.1, "warmup_steps": 4, "steps": 20}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("t", [1, 2, 4])
def test_the_warm_up_rises_in_a_straight_line(t, name):
    assert SCHEDULES[name](t, **SHAPE) == pytest.approx(0.4 * t / 4)


@pytest.mark.parametrize("t", [5, 12, 19, 20])
def test_the_cosine_falls_by_half_a_turn(t):
    assert warmup_cosine(t, **SHAPE) == pytest.approx(0.1 + 0.15 * (1 + math.cos(math.pi * (t - 4) / 16)))


@pytest.mark.parametrize("name", ["cosine", "linear", "wsd"])
def test_it_ends_and_stays_at_the_final_rate(name):
    assert SCHEDULES[name](20, **SHAPE) == SCHEDULES[name](99, **SHAPE) == 0.1


@pytest.mark.parametrize("name", SCHEDULES)
def test_without_warm_up_it_starts_next_to_the_peak(name):
    assert 0.38 < SCHEDULES[name](1, peak=0.4, final=0.1, warmup_steps=0, steps=20) <= 0.4


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_run_shorter_than_its_warm_up_only_rises(name):
    assert SCHEDULES[name](3, peak=0.4, final=0.1, warmup_steps=4, steps=3) == pytest.approx(0.3)


@pytest.mark.parametrize("t", range(1, 24))
def test_stable_decay_that_decays_from_the_warm_up_on_is_linear_and_without_decay_constant(t):
    assert warmup_stable_decay(t, decay_steps=16, **SHAPE) == pytest.approx(warmup_linear(t, **SHAPE), rel=1e-15)
    if t <= 20:
        assert warmup_stable_decay(t, decay_steps=0, **SHAPE) == warmup_constant(t, **SHAPE)


def test_until_the_decay_a_longer_run_has_the_same_rates():
    longer = {**SHAPE, "steps": 30}
    rates = [[warmup_stable_decay(t, **shape) for t in range(1, 17)] for shape in (SHAPE, longer)]
    assert rates[0] == rates[1] and warmup_stable_decay(17, **SHAPE) < 0.4 == warmup_stable_decay(17, **longer)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_configuration_gives_each_update_the_rate_of_its_schedule(name):
    config = TrainConfig(steps=20, learning_rate=0.4, final_learning_rate=0.1, warmup_steps=4, schedule=name)
    assert [config.rate(t) for t in range(1, 21)] == [SCHEDULES[name](t, **SHAPE) for t in range(1, 21)]


def test_the_configuration_hands_the_length_of_the_decay_on():
    config = TrainConfig(
        steps=20, learning_rate=0.4, final_learning_rate=0.1, warmup_steps=4, schedule="wsd", decay_steps=10
    )
    assert config.rate(10) == 0.4 and config.rate(15) == pytest.approx(0.25)


def test_the_configurations_defaults_follow_from_the_steps_and_the_rate():
    short, long = TrainConfig(steps=100, learning_rate=0.5), TrainConfig(steps=10_000)
    assert (short.warmup, short.final_rate, long.warmup) == (5, 0.05, 100)
