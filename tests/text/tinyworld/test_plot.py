import math
import random
from collections import Counter

import pytest

from minigpt.text.tinyworld.plot import ACTIONS, NONE, Event, WorldState, after, draw, options, place_of

TWO_FRIENDS = WorldState(where=(0, 0), holders=(0, ~1), n_places=2, n_actions=1, subject=1)


def states(n):
    """States that stories pass through, the last of each included."""
    below = random.Random(0).randrange
    for _ in range(n):
        state = WorldState()
        while not state.over:
            state = after(state, draw(state, below))
            yield state


def test_the_probabilities_of_the_next_sentence_sum_to_one():
    for state in states(100):
        assert math.fsum(p for _, p in options(state)) == (0 if state.over else pytest.approx(1, abs=1e-12))


def test_no_sentence_stands_twice_among_the_options():
    for state in states(100):
        events = [event for event, _ in options(state)]
        assert len(events) == len(set(events))


def test_sentences_are_drawn_with_their_probabilities():
    n, below = 20_000, random.Random(1).randrange
    drawn = Counter(draw(TWO_FRIENDS, below) for _ in range(n))
    expected = dict(options(TWO_FRIENDS))
    assert set(drawn) <= set(expected)
    # Pearson's statistic has the mean d and the variance 2 d; five standard deviations
    d = len(expected) - 1
    assert sum((drawn[e] - n * p) ** 2 / (n * p) for e, p in expected.items()) < d + 5 * math.sqrt(2 * d)


def test_a_probability_is_the_product_of_its_menus():
    # 8 of 10: the story goes on; 1 of 3: the first acts, for the last sentence was about the second; the first may give
    # (12), go (2), drop (2), find (2) or rest (1), and there is one way to give.
    assert dict(options(TWO_FRIENDS))[Event("give", 0, 1, 0)] == pytest.approx(8 / 10 * 1 / 3 * 12 / 19)


@pytest.mark.parametrize(
    "impossible",
    [
        Event("give", 1, 0, 0),  # does not have it
        Event("give", 0, 1, 1),  # nobody has it
        Event("take", 0, thing=1),  # lies elsewhere
        Event("visit", 0, 1),  # is here already
        Event("go", 0, place=0),  # is there already
        Event("swap", 0, 1, 0, 1),  # the other has nothing
    ],
)
def test_what_is_impossible_is_not_an_option(impossible):
    assert impossible not in dict(options(TWO_FRIENDS))


@pytest.mark.parametrize(
    ("event", "where", "holders"),
    [
        (Event("go", 0, place=2), (2, 0), (0, ~1)),
        (Event("give", 0, 1, 0), (0, 0), (1, ~1)),
        (Event("drop", 0, thing=0), (0, 0), (~0, ~1)),
        (Event("find", 1, thing=2), (0, 0), (0, ~1, 1)),
        (Event("rest", 1), (0, 0), (0, ~1)),
    ],
)
def test_a_sentence_changes_the_world(event, where, holders):
    state = after(TWO_FRIENDS, event)
    assert (state.where, state.holders) == (where, holders)


def test_visiting_moves_the_actor_and_calling_moves_the_other():
    apart = WorldState(where=(0, 1), holders=(0,), n_places=2)
    assert after(apart, Event("visit", 0, 1)).where == (1, 1)
    assert after(apart, Event("call", 0, 1)).where == (0, 0)


def test_swapping_exchanges_two_things():
    both = WorldState(where=(0, 0), holders=(0, 1), n_places=1)
    assert after(both, Event("swap", 0, 1, 0, 1)).holders == (1, 0)


def test_a_thing_is_where_its_holder_is():
    state = after(TWO_FRIENDS, Event("go", 0, place=2))
    assert [place_of(state, thing) for thing in (0, 1)] == [2, 1]


def test_it_means_the_only_thing_of_the_last_sentence():
    both = WorldState(where=(0, 0), holders=(0, 1), n_places=1)
    assert after(both, Event("give", 0, 1, 0)).topic == 0
    assert after(both, Event("swap", 0, 1, 0, 1)).topic == NONE
    assert after(both, Event("rest", 0)).topic == NONE


def test_every_kind_of_action_happens():
    below, kinds = random.Random(2).randrange, set()
    for _ in range(300):
        state = WorldState()
        while not state.over:
            event = draw(state, below)
            kinds.add(event.kind)
            state = after(state, event)
    assert kinds == {"opening", "friend", "loose", "held", "lies", *ACTIONS}
