"""A tiny world so small that all its stories can be listed; and this folder on the path, for what its tests share."""

import inspect
import sys
from functools import cache
from itertools import permutations, product
from pathlib import Path

import pytest

from minigpt.text.tinyworld import derivation, entropy, parsing, patterns, plot, rendering, splits, words
from minigpt.text.tinyworld.derivation import Derivation
from minigpt.text.tinyworld.plot import WorldState, after, options

sys.path.insert(0, str(Path(__file__).parent))

FRESH = {}  # for each function that keeps its results, one that keeps those of the small world
MODULES = (derivation, entropy, parsing, patterns, plot, rendering, splits)


def plots(state, events=()):
    """Every sequence of events that ends a story."""
    if state.over:
        yield events, state
    for event, _ in options(state):
        yield from plots(after(state, event), (*events, event))


def every_story():
    """Every derivation of the language, by brute force: all plots, all casts, all wordings."""
    items = list(product(range(len(words.COLOURS)), range(len(words.THINGS))))
    for events, end in plots(WorldState()):
        casts = product(
            permutations(range(len(words.PEOPLE)), len(end.where)),
            permutations(items, len(end.holders)),
            permutations(range(len(words.PLACES)), end.n_places),
        )
        tellings = list(product(*[range(words.wordings(event.kind)) for event in events]))
        for (people, things, places), wordings in product(casts, tellings):
            yield Derivation(events, wordings, people, things, places)


@pytest.fixture
def small_world(monkeypatch):
    """Two people, two things, two places, one or two actions, few wordings."""
    monkeypatch.setattr(words, "PEOPLE", (words.PEOPLE[0], words.PEOPLE[12]))
    monkeypatch.setattr(words, "COLOURS", (words.COLOURS[8],))
    monkeypatch.setattr(words, "THINGS", words.THINGS[:2])
    monkeypatch.setattr(words, "PLACES", words.PLACES[6:8])
    monkeypatch.setattr(words, "LEADS", {"held": words.ENDINGS[:2]})
    monkeypatch.setattr(words, "FRAMES", {kind: frames[:1] for kind, frames in words.FRAMES.items()})
    monkeypatch.setattr(plot, "MOST_PEOPLE", 2)
    monkeypatch.setattr(plot, "MOST_THINGS", 2)
    monkeypatch.setattr(plot, "ENDING", {1: 4, 2: 10})
    for module in MODULES:  # what was computed for the large world waits aside until the test is over
        for name, function in inspect.getmembers(module, lambda member: hasattr(member, "cache_clear")):
            monkeypatch.setattr(module, name, FRESH.setdefault(function, cache(function.__wrapped__)))
    for function in FRESH.values():
        function.cache_clear()
    return every_story
