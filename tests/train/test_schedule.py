import math

import pytest

from minigpt.train import TrainConfig, warmup_cosine

SHAPE = {"peak": 0.4, "final": 0.1, "warmup_steps": 4, "steps": 20}


@pytest.mark.parametrize("t", [1, 2, 4])
def test_the_warm_up_rises_in_a_straight_line(t):
    assert warmup_cosine(t, **SHAPE) == pytest.approx(0.4 * t / 4)


@pytest.mark.parametrize("t", [5, 12, 19, 20])
def test_then_it_falls_by_half_a_cosine(t):
    assert warmup_cosine(t, **SHAPE) == pytest.approx(0.1 + 0.15 * (1 + math.cos(math.pi * (t - 4) / 16)))


def test_it_ends_and_stays_at_the_final_rate():
    assert warmup_cosine(20, **SHAPE) == warmup_cosine(99, **SHAPE) == 0.1


def test_without_warm_up_it_starts_next_to_the_peak():
    assert 0.39 < warmup_cosine(1, peak=0.4, final=0.1, warmup_steps=0, steps=20) < 0.4


def test_a_run_shorter_than_its_warm_up_only_rises():
    assert warmup_cosine(3, peak=0.4, final=0.1, warmup_steps=4, steps=3) == pytest.approx(0.3)


def test_the_configurations_defaults_follow_from_the_steps_and_the_rate():
    short, long = TrainConfig(steps=100, learning_rate=0.5), TrainConfig(steps=10_000)
    assert (short.warmup, short.final_rate, long.warmup) == (5, 0.05, 100)
