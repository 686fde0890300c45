"""Derivation to text: the frames of :mod:`minigpt.text.tinyworld.words`, filled.

How somebody or something is called follows from the last sentence alone, so it is never a choice. Whom the last
sentence was about becomes a pronoun, wherever it stands in the next; the one thing that it named becomes "it".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.derivation import Derivation
from minigpt.text.tinyworld.plot import NONE, Event, WorldState, place_of

#: English and Chinese.
LANGUAGES = ("en", "zh")


T = TypeVar("T")  # str to tell a story; float to weigh how long it will be


@dataclass(frozen=True)
class Forms(Generic[T]):
    """Every word of one language in every form that a slot can take, by row of its table.

    Attributes:
        nothing: what stands for a word that is left out.
        between: what stands between two sentences.
        there: where somebody is visited.
        frames: for each kind of sentence its wordings: a lead with a %-format, and the slots that fill it.
    """

    name: tuple[T, ...]
    subject: tuple[T, ...]
    object: tuple[T, ...]
    names_own: tuple[T, ...]
    own: tuple[T, ...]
    full: dict[tuple[int, int], T]
    new: dict[tuple[int, int], T]
    second: dict[tuple[int, int], T]
    to: tuple[T, ...]
    at: tuple[T, ...]
    there: tuple[T, ...]
    it: T
    too: T
    nothing: T
    between: str
    frames: dict[str, tuple[tuple[str, tuple[str, ...]], ...]]


def render(derivation: Derivation, language: str) -> str:
    """Tell a story on one line: English with a space between sentences, Chinese with nothing.

    Args:
        derivation: the story before it is text.
        language: "en" or "zh".

    Raises:
        ValueError: if there is no such language.
    """
    return forms_of(language).between.join(sentences(derivation, language))


def sentences(derivation: Derivation, language: str) -> list[str]:
    """The sentences of a story, one by one.

    Raises:
        ValueError: if there is no such language.
    """
    forms = forms_of(language)
    steps = zip(derivation.states()[:-1], derivation.events, derivation.wordings, strict=True)
    return [sentence(forms, derivation, state, event, wording) for state, event, wording in steps]


def sentence(forms: Forms[str], derivation: Derivation, state: WorldState, event: Event, wording: int) -> str:
    """One sentence of a story; ``state`` is the one before it."""
    frame, slots = forms.frames[event.kind][wording]
    text = frame % tuple([SLOTS[slot](forms, derivation, state, event) for slot in slots])
    return text[0].upper() + text[1:]


Fill = Callable[[Forms[T], Derivation, WorldState, Event], T]


def _actor(forms: Forms[T], d: Derivation, state: WorldState, event: Event) -> T:
    return (forms.subject if event.actor == state.subject else forms.name)[d.people[event.actor]]


def _other(forms: Forms[T], d: Derivation, state: WorldState, event: Event) -> T:
    return (forms.object if event.other == state.subject else forms.name)[d.people[event.other]]


def _owner(forms: Forms[T], d: Derivation, state: WorldState, event: Event) -> T:
    return (forms.own if event.other == state.subject else forms.names_own)[d.people[event.other]]


def _thing(forms: Forms[T], d: Derivation, state: WorldState, event: Event) -> T:
    return forms.it if event.thing == state.topic else forms.full[d.items[event.thing]]


def _at(forms: Forms[T], d: Derivation, state: WorldState, event: Event) -> T:
    return forms.at[d.places[place_of(state, event.thing) if event.place == NONE else event.place]]


SLOTS: dict[str, Fill] = {
    "actor": _actor,
    "name": lambda forms, d, state, event: forms.name[d.people[event.actor]],
    "other": _other,
    "owner": _owner,
    "thing": _thing,
    "full": lambda forms, d, state, event: forms.full[d.items[event.thing]],
    "new": lambda forms, d, state, event: forms.new[d.items[event.thing]],
    "second": lambda forms, d, state, event: forms.second[d.items[event.second]],
    "to": lambda forms, d, state, event: forms.to[d.places[event.place]],
    "at": _at,
    "from": lambda forms, d, state, event: forms.to[d.places[state.where[event.actor]]],
    "there": lambda forms, d, state, event: forms.there[d.places[state.where[event.other]]],
    "here": lambda forms, d, state, event: forms.at[d.places[state.where[event.actor]]],
    "too": lambda forms, d, state, event: forms.too if event.place in state.where else forms.nothing,
}


@cache
def forms_of(language: str) -> Forms[str]:
    """The tables of one language.

    Raises:
        ValueError: if there is no such language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"there is no language {language!r}; choose {' or '.join(LANGUAGES)}")
    which = LANGUAGES.index(language)
    names = tuple(person[which] for person in words.PEOPLE)
    subject, object_, own = zip(*[[p[which] for p in words.PRONOUNS[who.pronoun]] for who in words.PEOPLE], strict=True)
    english = language == "en"
    to = tuple(f"the {p.en}" if english else p.zh for p in words.PLACES)
    at = tuple(f"{p.preposition} the {p.en}" if english else p.zh + p.particle for p in words.PLACES)
    return Forms(
        name=names,
        subject=subject,
        object=object_,
        names_own=tuple(f"{name}'s" if english else name for name in names),
        own=own,
        full=_items("the {c.en} {t.en}" if english else "{c.zh}的{t.zh}"),
        new=_items("{a} {c.en} {t.en}" if english else "一{t.measure}{c.zh}的{t.zh}"),
        second=_items("{c.en} {t.en}" if english else "那{t.measure}{c.zh}的{t.zh}"),
        to=to,
        at=at,
        there=at if english else to,
        it=words.IT[which],
        too=words.TOO[which],
        nothing="",
        between=" " if english else "",
        frames={kind: tuple(_frames(kind, which)) for kind in words.FRAMES},
    )


def _items(pattern: str) -> dict[tuple[int, int], str]:
    """The form of every coloured thing."""
    return {
        (i, j): pattern.format(c=colour, t=thing, a="an" if colour.en[0] in "aeiou" else "a")
        for i, colour in enumerate(words.COLOURS)
        for j, thing in enumerate(words.THINGS)
    }


def _frames(kind: str, which: int) -> list[tuple[str, tuple[str, ...]]]:
    """The wordings of a kind of sentence, in the order of their numbers."""
    return [
        (lead[which] + re.sub(r"\{\w+\}", "%s", frame[which]), tuple(re.findall(r"\{(\w+)\}", frame[which])))
        for lead in words.leads(kind)
        for frame in words.FRAMES[kind]
    ]
