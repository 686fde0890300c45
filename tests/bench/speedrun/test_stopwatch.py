"""minigpt/bench/speedrun/stopwatch.py: what is counted as training, and what is not."""

import numpy as np
import pytest

from minigpt.bench.speedrun.stopwatch import CurvePoint, StepTimes, TimedSplit
from minigpt.text import TokenDataset


def test_the_time_of_an_evaluation_lasts_until_its_last_window_was_used(ticking):
    split = TimedSplit.of(TokenDataset(np.arange(30) % 5, 7, vocab_size=5), ticking)
    for _ in split.windows(2):
        ticking.now += 10  # the model computes
    assert split.seconds == ticking.now == 3 * 110


def test_a_timed_split_has_the_windows_of_the_split():
    split = TokenDataset(np.arange(30) % 5, 7, vocab_size=5)
    timed = TimedSplit.of(split, lambda: 0.0)
    for ours, theirs in zip(timed.windows(2), split.windows(2), strict=True):
        assert all(map(np.array_equal, ours, theirs))


def test_what_the_first_steps_take_beyond_the_median_is_compilation():
    times = StepTimes([20.0, 2.0, 5.0, 2.0, 9.0, 1.0, 2.0], [(4, 3.0), (7, 2.0)])
    assert times.compile_seconds == 18 + 3
    assert times.seconds == 41 - 21
    assert times.curve == (CurvePoint(4, 8.0, 3.0), CurvePoint(7, 20.0, 2.0))


@pytest.mark.parametrize("steps", [[], [5.0], [5.0, 1.0, 1.0]])
def test_a_few_steps_say_nothing_about_compilation(steps):
    assert StepTimes(steps).compile_seconds == 0
