"""Text to derivation: the inverse of :func:`minigpt.text.tinyworld.rendering.render`.

A sentence is read by the frames that write it, and its words are traced back to their roles: a name to who bears it, a
pronoun to whom the last sentence was about. What was read counts only if it is possible in the state of the world and
if the derivation tells it with the very same letters; so exactly the stories of the language are read.
"""

from dataclasses import dataclass, field
from typing import Any

from minigpt.text.tinyworld.derivation import Derivation, probabilities
from minigpt.text.tinyworld.patterns import pattern_of, reading_of
from minigpt.text.tinyworld.plot import Event, WorldState, after, place_of
from minigpt.text.tinyworld.rendering import Forms, forms_of, sentence

SHOWN = 60  # characters of the text that an error shows at most

SLOT_ROLES = {  # which role of an event a slot names
    **dict.fromkeys(("actor", "name"), "actor"),
    **dict.fromkeys(("other", "owner"), "other"),
    **dict.fromkeys(("thing", "full", "new"), "thing"),
    **dict.fromkeys(("to", "at"), "place"),
    "second": "second",
}


def parse(text: str, language: str) -> Derivation:
    """Find the derivation that a language tells in these words.

    Args:
        text: one story, without a line end.
        language: "en" or "zh".

    Raises:
        ValueError: if no derivation is told so; it names the character where the text goes wrong and what was expected.
    """
    reader = _Reader(text, forms_of(language), language)
    while not reader.state.over:
        reader.read_sentence()
    if reader.position < len(text):
        raise reader.refusal(reader.position, "nothing more, for the story has ended; parse one story at a time")
    return reader.story()


@dataclass
class _Reader:
    """What is known of a text that has been read up to a position."""

    text: str
    forms: Forms[str]
    language: str
    position: int = 0
    state: WorldState = field(default_factory=WorldState)
    events: list[Event] = field(default_factory=list)
    wordings: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    items: list[tuple[int, int]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def story(self) -> Derivation:
        """The choices that were read."""
        people, items, places = tuple(self.people), tuple(self.items), tuple(self.places)
        return Derivation(tuple(self.events), tuple(self.wordings), people, items, places)

    def read_sentence(self) -> None:
        """Read one sentence, and the space before it."""
        if self.events:
            if not self.text.startswith(self.forms.between, self.position):
                raise self.refusal(self.position, repr(self.forms.between))
            self.position += len(self.forms.between)
        found = pattern_of(self.language).match(self.text, self.position)
        if found is None:
            raise self.unreadable()
        kind, wording, rows = reading_of(found, self.language)
        event = Event(kind, **self.roles(kind, rows))
        if event not in probabilities(self.state):
            raise self.refusal(self.position, f"a sentence that fits the state of the world: {self.standing()}")
        self.events.append(event)
        self.wordings.append(wording)
        told = sentence(self.forms, self.story(), self.state, event, wording)
        if told != found[0]:
            raise self.refusal(self.position, repr(told))
        self.state, self.position = after(self.state, event), found.end()

    def roles(self, kind: str, rows: dict[str, object]) -> dict[str, int]:
        """Trace the words of a sentence back to their roles; a word that is new takes the next role."""
        cast: dict[str, list[Any]] = {"actor": self.people, "other": self.people, "place": self.places}
        roles = {}
        for slot, row in rows.items():
            role = SLOT_ROLES.get(slot)
            if role is None or (role == "place" and kind in ("held", "lies")):
                continue  # what the state decides: who is there "too", where they are, where a thing is in the end
            known = cast.get(role, self.items)
            if row is None:
                roles[role] = self.state.topic if role == "thing" else self.state.subject
                continue
            if row not in known:
                known.append(row)
            roles[role] = known.index(row)
        return roles

    def standing(self) -> str:
        """Who is where with what, and what may be said of them."""
        forms, state = self.forms, self.state
        kinds = " or ".join(sorted({event.kind for event in probabilities(state)}))
        people = [f"{forms.name[self.people[p]]} {forms.at[self.places[place]]}" for p, place in enumerate(state.where)]
        things = [
            f"{forms.full[self.items[t]]} {forms.at[self.places[place_of(state, t)]]}"
            + ("" if holder < 0 else f" ({forms.name[self.people[holder]]})")
            for t, holder in enumerate(state.holders)
        ]
        return f"{kinds}, given {', '.join(people + things) or 'an empty world'}"

    def unreadable(self) -> ValueError:
        """Where a sentence stops being the beginning of one, and how it could go on."""
        pattern, low, high = pattern_of(self.language), self.position, len(self.text)
        while low < high:  # bisection: what begins with a beginning that fails fails too
            middle = (low + high + 1) // 2
            if pattern.fullmatch(self.text, self.position, middle, partial=True):
                low = middle
            else:
                high = middle - 1
        begun = self.text[self.position : low]
        going_on = [c for c in sorted(set(pattern.pattern)) if pattern.fullmatch(begun + c, partial=True)]
        return self.refusal(low, " or ".join(map(repr, going_on)))

    def refusal(self, position: int, expected: str) -> ValueError:
        """The one error for a text that is not of the language."""
        rest = self.text[position:]
        got = repr(rest if len(rest) <= SHOWN else rest[:SHOWN] + "…") if rest else "the end of the text"
        return ValueError(f"character {position} of the story: got {got}, expected {expected}")
