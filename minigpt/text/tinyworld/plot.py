r"""What happens, before it has words: a Markov chain whose state says who is where and who has what.

People, things and places are numbered in the order in which a story brings them in; these numbers are called roles. The
next sentence $e$ depends on the state $s$ alone, and the state that follows is determined by both:

$$p(e_1, \dots, e_n) = \prod_{i=1}^n p(e_i \mid s_{i-1}), \qquad s_i = \mathrm{after}(s_{i-1}, e_i)$$

The distribution is a tree of menus: which kind of sentence, who acts, what they do, and with whom or what. Only what is
possible is on a menu: nobody gives what they do not have, or gives it to somebody who is elsewhere.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from minigpt.text.tinyworld import words

NONE = -1
KNOWN_STATES = 2**16  # that what follows from them is kept of; in roles, stories come to the same ones again


class Event(NamedTuple):
    """What one sentence says, in roles; a role that the sentence does not have is ``NONE``."""

    kind: str
    actor: int = NONE
    other: int = NONE
    thing: int = NONE
    second: int = NONE
    place: int = NONE


class WorldState(NamedTuple):
    """The world between two sentences, in roles.

    Attributes:
        where: the place of each person.
        holders: for each thing the person who has it or, if it lies about, its place as the negative number ``~place``.
        n_places: how many places the story has named.
        n_actions: how many sentences have told what somebody did.
        subject: whom the last sentence was about, which a pronoun then means.
        topic: the thing that the last sentence named, if only one, which "it" then means.
        over: whether the story has ended.
    """

    where: tuple[int, ...] = ()
    holders: tuple[int, ...] = ()
    n_places: int = 0
    n_actions: int = 0
    subject: int = NONE
    topic: int = NONE
    over: bool = False


Menu = list[tuple[int, "Event | Callable[[], Menu]"]]  # weights, and what they lead to: an event or the next menu

MOST_PEOPLE = 3
MOST_THINGS = 3
ENDING = {1: 2, 2: 5, 3: 10}  # in tenths, how likely a story ends after so many actions
# What moves a thing, or brings somebody near, is likely where it is possible: without it there is nothing to remember.
ACTIONS = {"go": 2, "visit": 5, "call": 3, "give": 12, "swap": 8, "take": 12, "drop": 2, "find": 2, "rest": 1}


def next_sentences(state: WorldState) -> Menu:
    """What the next sentence may be: an opening, one or two friends, a thing that lies about, actions, the end."""
    people, things = len(state.where), len(state.holders)
    if people == 0:
        return [(1, Event("opening", actor=0, thing=0, place=0))]
    if people == 1:
        return friends(state)
    if state.n_actions:
        end = ENDING[state.n_actions]
        return [(10 - end, partial(actors, state)), (end, partial(endings, state))]
    menu: Menu = [(1, partial(actors, state))]
    if things == 1:
        menu.append((2, partial(loose_things, state)))
        if people < MOST_PEOPLE:
            menu.append((2, partial(friends, state)))
    return menu


def friends(state: WorldState) -> Menu:
    """One more person, at a place already named or a new one."""
    return [(1, Event("friend", actor=len(state.where), place=place)) for place in _anywhere(state)]


def loose_things(state: WorldState) -> Menu:
    """A thing that lies at a place already named or a new one."""
    return [(1, Event("loose", thing=len(state.holders), place=place)) for place in _anywhere(state)]


def actors(state: WorldState) -> Menu:
    """Who acts: whoever the last sentence was about is twice as likely to go on."""
    return [(1 + (p == state.subject), partial(actions, state, p)) for p in range(len(state.where))]


@lru_cache(maxsize=KNOWN_STATES)
def actions(state: WorldState, actor: int) -> Menu:
    """What the actor may do: each kind of action weighs what :data:`ACTIONS` says, if there is a way to do it."""
    here, people, things = state.where[actor], range(len(state.where)), range(len(state.holders))
    held = [t for t in things if state.holders[t] == actor]
    near = [p for p in people if state.where[p] == here and p != actor]
    far = [p for p in people if state.where[p] != here]
    ways = {
        "go": [Event("go", actor, place=place) for place in _anywhere(state) if place != here],
        "visit": [Event("visit", actor, p) for p in far],
        "call": [Event("call", actor, p) for p in far],
        "give": [Event("give", actor, p, t) for p in near for t in held],
        "swap": [
            Event("swap", actor, state.holders[s], t, s) for t in held for s in things if state.holders[s] in near
        ],
        "take": [Event("take", actor, thing=t) for t in things if state.holders[t] == ~here],
        "drop": [Event("drop", actor, thing=t) for t in held],
        "find": [Event("find", actor, thing=len(things))] if len(things) < MOST_THINGS else [],
        "rest": [Event("rest", actor)],
    }
    return [(ACTIONS[kind], _equally(events)) for kind, events in ways.items() if events]


def endings(state: WorldState) -> Menu:
    """Where one of the things is in the end, and who has it."""
    return [
        (1, Event("lies", thing=thing) if holder < 0 else Event("held", holder, thing=thing))
        for thing, holder in enumerate(state.holders)
    ]


def draw(state: WorldState, below: Callable[[int], int]) -> Event:
    """Draw the next sentence: one walk down the tree of menus.

    Args:
        state: a state that is not over.
        below: called with a whole number n, gives one of 0 to n - 1, each equally likely.
    """
    menu = next_sentences(state)
    while True:
        course = _pick(menu, below)
        if isinstance(course, Event):
            return course
        menu = course()


def options(state: WorldState) -> Iterator[tuple[Event, float]]:
    """Every sentence that can come next, with its probability: all walks down the tree of menus; none after the end."""
    if not state.over:
        yield from _leaves(next_sentences(state), 1.0)


@lru_cache(maxsize=KNOWN_STATES)
def after(state: WorldState, event: Event) -> WorldState:
    """The state that follows a sentence."""
    kind, actor, other, thing, second, place = event
    where, holders = list(state.where), list(state.holders)
    if kind in ("opening", "friend"):
        where.append(place)
    if kind in ("opening", "find"):
        holders.append(actor)
    if kind == "loose":
        holders.append(~place)
    if kind == "go":
        where[actor] = place
    if kind == "visit":
        where[actor] = where[other]
    if kind == "call":
        where[other] = where[actor]
    if kind == "give":
        holders[thing] = other
    if kind == "swap":
        holders[thing], holders[second] = other, actor
    if kind == "take":
        holders[thing] = actor
    if kind == "drop":
        holders[thing] = ~where[actor]
    return WorldState(
        where=tuple(where),
        holders=tuple(holders),
        n_places=max(state.n_places, place + 1),
        n_actions=state.n_actions + (kind in ACTIONS),
        subject=actor,
        topic=thing if second == NONE else NONE,
        over=kind in ("held", "lies"),
    )


def place_of(state: WorldState, thing: int) -> int:
    """Where a thing is: where it lies, or where the person is who has it."""
    holder = state.holders[thing]
    return ~holder if holder < 0 else state.where[holder]


def _anywhere(state: WorldState) -> range:
    """The places already named, and one more while there are others."""
    return range(min(state.n_places + 1, len(words.PLACES)))


def _equally(events: list[Event]) -> "Event | Callable[[], Menu]":
    return events[0] if len(events) == 1 else lambda: [(1, event) for event in events]


def _pick(menu: Menu, below: Callable[[int], int]) -> "Event | Callable[[], Menu]":
    ticket = below(sum([weight for weight, _ in menu])) if len(menu) > 1 else 0
    for weight, course in menu:
        ticket -= weight
        if ticket < 0:
            return course
    raise AssertionError("a ticket is below the sum of the weights")


def _leaves(menu: Menu, share: float) -> Iterator[tuple[Event, float]]:
    total = sum(weight for weight, _ in menu)
    for weight, course in menu:
        p = share * weight / total
        if isinstance(course, Event):
            yield course, p
        elif weight:
            yield from _leaves(course(), p)
