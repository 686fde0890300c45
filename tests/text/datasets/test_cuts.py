from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.text.datasets.cuts import count_windows, draw_window

SIZES = [(M, T) for T in range(1, 14) for M in range(T, 5 * T + 3)]
FOUND_ONCE = [
    (382, 128),
    (99, 7),
    (766, 256),
    (999, 256),
    (10_238, 1024),
]  # each with a rest after whole windows


def epoch(number, n_targets, length, seed=0):
    n = count_windows(n_targets, length)
    return [draw_window(i, n_targets, length, seed=seed) for i in range(number * n, (number + 1) * n)]


def learnt(windows):
    """The number of the token that each target is, for all that count."""
    return [start + 1 + place for start, first, stop in windows for place in range(first, stop)]


@pytest.mark.parametrize("number", range(3))
def test_every_token_but_the_first_is_learnt_exactly_once_an_epoch(number):
    for n_targets, length in SIZES + FOUND_ONCE:
        for seed in range(2):
            assert sorted(learnt(epoch(number, n_targets, length, seed))) == list(range(1, n_targets + 1))


@given(st.integers(1, 2000), st.integers(0, 5000), st.integers(0, 2**40), st.integers(-5, 2**70))
@settings(max_examples=100, deadline=None, database=None)
def test_no_text_no_epoch_and_no_seed_leaves_a_token_out(length, more, number, seed):
    windows = epoch(number, length + more, length, seed)
    assert sorted(learnt(windows)) == list(range(1, length + more + 1))
    assert all(first < stop for _, first, stop in windows)


def test_every_window_lies_inside_the_text_and_has_a_target():
    for n_targets, length in SIZES + FOUND_ONCE:
        for start, first, stop in epoch(1, n_targets, length):
            assert 0 <= start <= n_targets - length
            assert 0 <= first < stop <= length


def test_only_the_first_and_the_last_window_share_tokens_with_their_neighbours():
    for n_targets, length in SIZES + FOUND_ONCE:
        windows = sorted(epoch(2, n_targets, length), key=lambda window: window.start + window.first)
        assert all(window[1:] == (0, length) for window in windows[1:-1])
        assert all(b.start - a.start == length for a, b in pairwise(windows[1:-1]))


@pytest.mark.parametrize(("n_targets", "length"), [(382, 128), (99, 7), (129, 128), (255, 128), (256, 128)])
def test_the_cuts_move_from_epoch_to_epoch_over_at_least_half_the_window(n_targets, length):
    seen = Counter()
    for number in range(3 * length):
        windows = sorted(epoch(number, n_targets, length))
        seen[windows[0].stop - windows[0].first] += 1
    assert len(seen) >= 0.8 * (length // 2)
    assert max(seen.values()) < 8 * sum(seen.values()) / len(seen)  # about equally often


def test_a_text_of_one_window_is_that_window():
    assert {tuple(epoch(number, 8, 8)) for number in range(9)} == {((0, 0, 8),)}


def test_no_more_windows_than_one_above_the_least():
    for n_targets, length in SIZES:
        assert -(-n_targets // length) <= count_windows(n_targets, length) <= -(-n_targets // length) + 1


def test_the_example_of_the_documentation():
    """Ten tokens in windows of four: three ranges, the first of them one to four targets long."""
    found = set()
    for number in range(50):
        windows = sorted(epoch(number, 9, 4), key=lambda window: window.start + window.first)
        found.add(tuple(stop - first for _, first, stop in windows))
    assert found == {(4, 4, 1), (3, 4, 2), (2, 4, 3), (1, 4, 4)}
