r"""A story before it is text: the choices that made it, and the probability of each.

Three kinds of choices lead to a story: what happens (:mod:`minigpt.text.tinyworld.plot`), which words take the roles
whenever something is named for the first time, and how each sentence is put. The last two are uniform, so the story
$d$ with sentences $e_1 \dots e_n$ has the probability

$$p(d) = \prod_{i=1}^n \frac{p(e_i \mid s_{i-1})}{\prod_j m_j(s_{i-1}, e_i)}$$

where the $m_j$ count what could have been named in a place of a new name, and the wordings of the sentence.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.plot import Event, WorldState, after, draw, options, place_of
from minigpt.text.tinyworld.splits import Combination, combinations
from minigpt.text.tinyworld.words import Colour, Person, Place, Thing


class Item(NamedTuple):
    """A thing with its colour; no story has two that are alike.

    Attributes:
        colour: of the thing.
        thing: what it is.
    """

    colour: Colour
    thing: Thing


class Choice(NamedTuple):
    """One choice on the way to a story.

    Attributes:
        kind: what was to be chosen.
        chosen: what it was.
        probability: how likely that was, given the choices before.
    """

    kind: str
    chosen: object
    probability: float


class Scene(NamedTuple):
    """The world after a sentence.

    Attributes:
        where: each person is.
        holder: who has each thing; ``None``: it lies about.
        place: where each thing is.
    """

    where: dict[Person, Place]
    holder: dict[Item, Person | None]
    place: dict[Item, Place]


@dataclass(frozen=True)
class Derivation:
    """All choices behind one story; every language tells it in its own words.

    Attributes:
        events: what each sentence says, in roles.
        wordings: how each sentence is put: a number below ``words.wordings(kind)``.
        people: for each role of a person, the row of ``words.PEOPLE``.
        items: for each role of a thing, the rows of ``words.COLOURS`` and ``words.THINGS``.
        places: for each role of a place, the row of ``words.PLACES``.
    """

    events: tuple[Event, ...]
    wordings: tuple[int, ...]
    people: tuple[int, ...]
    items: tuple[tuple[int, int], ...]
    places: tuple[int, ...]

    @property
    def combination(self) -> Combination:
        """Who has what at the start: person, colour and thing. It decides the split."""
        return (self.people[0], *self.items[0])

    def states(self) -> list[WorldState]:
        """The state, in roles, before the first sentence and after each."""
        return list(accumulate(self.events, after, initial=WorldState()))

    def scenes(self) -> list[Scene]:
        """The world after each sentence, for questions about it."""
        people = [words.PEOPLE[p] for p in self.people]
        items = [Item(words.COLOURS[c], words.THINGS[t]) for c, t in self.items]
        places = [words.PLACES[p] for p in self.places]
        return [
            Scene(
                where={people[role]: places[place] for role, place in enumerate(state.where)},
                holder={items[t]: None if holder < 0 else people[holder] for t, holder in enumerate(state.holders)},
                place={items[t]: places[place_of(state, t)] for t in range(len(state.holders))},
            )
            for state in self.states()[1:]
        ]


def derive(below: Callable[[int], int], split: str = "all") -> Derivation:
    """Draw a story.

    Args:
        below: called with a whole number n, gives one of 0 to n - 1, each equally likely.
        split: which combinations it may open with.
    """
    known = combinations(split)
    person, *item = known[below(len(known))]
    people, items, places = [person], [(item[0], item[1])], [below(len(words.PLACES))]
    state, events, wordings = WorldState(), [], []
    while not state.over:
        event = draw(state, below)
        if event.actor == len(people):
            people.append(_another(below, len(words.PEOPLE), people))
        if event.thing == len(items):
            n_things = len(words.THINGS)
            used = [colour * n_things + thing for colour, thing in items]
            items.append(divmod(_another(below, len(words.COLOURS) * n_things, used), n_things))
        if event.place == len(places):
            places.append(_another(below, len(words.PLACES), places))
        events.append(event)
        wordings.append(below(words.wordings(event.kind)))
        state = after(state, event)
    return Derivation(tuple(events), tuple(wordings), tuple(people), tuple(items), tuple(places))


def fillings(state: WorldState, event: Event, n_combinations: int) -> Iterator[tuple[str, int]]:
    """The uniform choices that give a sentence its words: the type of each, and among how many it is made."""
    n_things = len(state.holders)
    if event.kind == "opening":
        yield "combination", n_combinations
    elif event.actor == len(state.where):
        yield "person", len(words.PEOPLE) - len(state.where)
    elif event.thing == n_things:
        yield "item", len(words.COLOURS) * len(words.THINGS) - n_things
    if event.place == state.n_places:
        yield "place", len(words.PLACES) - state.n_places
    yield "wording", words.wordings(event.kind)


def choices(derivation: Derivation, split: str = "all") -> list[Choice]:
    """Every choice of a story in the order in which it was made, with its probability.

    Args:
        derivation: the story.
        split: whose combinations it may open with.

    Raises:
        ValueError: if the story is none of the language, or opens with a combination of another split.
    """
    _check(derivation)
    if derivation.combination not in _as_set(split):
        raise ValueError(
            f"combination {derivation.combination} is not of the split {split!r}; use its own split or 'all'"
        )
    return list(_choices(derivation, len(combinations(split))))


def log_prob(derivation: Derivation, split: str = "all") -> float:
    """The log-probability of a story in nats; minus infinity where its combination belongs to another split.

    Args:
        derivation: the story.
        split: whose combinations it may open with.

    Raises:
        ValueError: if the story is none of the language.
    """
    _check(derivation)
    if derivation.combination not in _as_set(split):
        return -math.inf
    return math.fsum(math.log(choice.probability) for choice in _choices(derivation, len(combinations(split))))


@lru_cache(maxsize=2**14)
def probabilities(state: WorldState) -> dict[Event, float]:
    """The distribution of the next sentence, as a table."""
    return dict(options(state))


@lru_cache
def _as_set(split: str) -> frozenset[Combination]:
    return frozenset(combinations(split))


def _choices(derivation: Derivation, n_combinations: int) -> Iterator[Choice]:
    d = derivation
    for state, event, wording in zip(d.states()[:-1], d.events, d.wordings, strict=True):
        yield Choice("event", event, probabilities(state)[event])
        for kind, n in fillings(state, event, n_combinations):
            chosen = {
                "combination": d.combination,
                "person": d.people[event.actor],
                "item": d.items[event.thing],
                "place": d.places[event.place],
                "wording": wording,
            }
            yield Choice(kind, chosen[kind], 1 / n)


def _check(derivation: Derivation) -> None:
    """Refuse events that are impossible, a role without a word of its own, and a wording that does not exist."""
    d, state = derivation, WorldState()
    mend = "take stories from derive or parse"
    for event in d.events:
        if event not in probabilities(state):
            raise ValueError(f"{event} cannot follow {state}; {mend}")
        state = after(state, event)
    if not state.over:
        raise ValueError(f"the story has {len(d.events)} sentences and no end; {mend}")
    for roles, rows in ((len(state.where), d.people), (len(state.holders), d.items), (state.n_places, d.places)):
        if not roles == len(rows) == len(set(rows)):
            raise ValueError(f"got the words {rows}, expected {roles} distinct ones; {mend}")
    counts = [words.wordings(event.kind) for event in d.events]
    if len(d.wordings) != len(counts) or not all(0 <= w < n for w, n in zip(d.wordings, counts, strict=True)):
        raise ValueError(f"got the wordings {d.wordings}, expected one below each of {counts}; {mend}")


def _another(below: Callable[[int], int], n: int, used: list[int]) -> int:
    """Draw from ``range(n)`` what is not among ``used``."""
    number = below(n - len(used))
    for taken in sorted(used):
        number += number >= taken
    return number
