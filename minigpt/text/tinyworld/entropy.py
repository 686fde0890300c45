r"""The floor: how many nats a story takes, and how many characters long it is, both as exact expectations.

By the chain rule the entropy of a story is the expected sum of the entropies of its choices. Which words take the roles
changes nothing, so it is summed over the states of the plot:

$$H = \sum_s q(s) \sum_e p(e \mid s) \left[ -\ln p(e \mid s) + \sum_j \ln m_j(s, e) \right]$$

where $q(s)$ is the probability that a story passes through the state $s$, and a sentence has $m_j$ equally likely words
for its j-th choice of words. No model of the language has a lower expected loss. The mean length is a sum of the same
kind, with the mean length of a sentence in the brackets.

Source: Shannon 1948, "A Mathematical Theory of Communication", section 6, property 3.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.derivation import Derivation, fillings
from minigpt.text.tinyworld.plot import MOST_PEOPLE, MOST_THINGS, Event, WorldState, after, options
from minigpt.text.tinyworld.rendering import SLOTS, Forms, forms_of
from minigpt.text.tinyworld.splits import combinations


@dataclass(frozen=True)
class Floor:
    """The least expected loss that a model can have.

    Attributes:
        nats: the entropy of a story.
        characters: the mean length of a story, line ends included.
        tokens: the mean number of tokens of a story, line ends included, where a tokenizer was named.
    """

    nats: float
    characters: float
    tokens: float | None = None

    @property
    def nats_per_character(self) -> float:
        """The floor of a model of characters."""
        return self.nats / self.characters

    @property
    def nats_per_token(self) -> float:
        """The floor of a model of tokens.

        Raises:
            ValueError: if the tokens were not counted.
        """
        if self.tokens is None:
            raise ValueError("the tokens were not counted; name a tokenizer: world.floor(tokenizer)")
        return self.nats / self.tokens


def expected_nats(split: str) -> float:
    """The entropy of a story of a split, in nats.

    Raises:
        ValueError: if there is no such split.
    """
    return math.log(len(combinations(split))) + _totals().nats


@cache
def expected_characters(split: str, language: str) -> float:
    """The mean length of a story of a split, the end of its line included, in characters.

    Raises:
        ValueError: if there is no such split or language.
    """
    forms, lengths, totals = forms_of(language), mean_lengths(split, language), _totals()
    literal = {
        kind: sum(len(frame) - len("%s") * len(slots) for frame, slots in frames) / len(frames)
        for kind, frames in forms.frames.items()
    }
    sentences = sum(n * (literal[kind] + len(forms.between)) for kind, n in totals.kinds.items())
    line_end = 1 - len(forms.between)  # nothing stands between the last sentence and the next
    return sentences + sum(n * lengths[label] for label, n in totals.labels.items()) + line_end


Label = tuple[str, int]  # a form and the role that is called so
RowKey = TypeVar("RowKey")


def mean_lengths(split: str, language: str) -> dict[Label, float]:
    """The expected length of each form, in characters, over all that may take the role."""
    forms, known = forms_of(language), combinations(split)
    heroes = Counter(person for person, _, _ in known)
    treasures = Counter((colour, thing) for _, colour, thing in known)
    places = Counter(range(len(words.PLACES)))
    lengths: dict[Label, float] = {("it", 0): len(forms.it), ("too", 0): len(forms.too), ("nothing", 0): 0}
    for form in ("name", "subject", "object", "names_own", "own"):
        lengths |= _by_role(form, dict(enumerate(getattr(forms, form))), heroes, MOST_PEOPLE)
    for form in ("full", "new", "second"):
        lengths |= _by_role(form, getattr(forms, form), treasures, MOST_THINGS)
    for form in ("to", "at", "there"):
        lengths |= _by_role(form, dict(enumerate(getattr(forms, form))), places, len(places))
    return lengths


def _by_role(form: str, phrases: Mapping[RowKey, str], first: Counter[RowKey], n_roles: int) -> dict[Label, float]:
    """The mean length in each role: the first is drawn with the weights given, each later one from those left."""
    total = float(sum(map(len, phrases.values())))
    means = [sum(weight * len(phrases[key]) for key, weight in first.items()) / first.total()]
    while len(means) < min(n_roles, len(phrases)):
        means.append((total - sum(means)) / (len(phrases) - len(means)))
    return {(form, role): mean for role, mean in enumerate(means)}


@dataclass(frozen=True)
class _Totals:
    """What a story has on average, whatever the split and the language.

    Attributes:
        nats: the entropy of all choices but that of the combination.
        kinds: sentences of each kind.
        labels: words of each form for each role.
    """

    nats: float
    kinds: Mapping[str, float]
    labels: Mapping[Label, float]


@cache
def _totals() -> _Totals:
    """Sum over all states; it takes a few seconds."""
    nats, kinds, labels = 0.0, defaultdict[str, float](float), defaultdict[Label, float](float)
    slots = {kind: _slots_a_sentence(kind) for kind in words.FRAMES}
    for state, event, visits, p in _transitions():
        share = visits * p
        nats += share * (sum(math.log(n) for _, n in fillings(state, event, 1)) - math.log(p))
        kinds[event.kind] += share
        for slot, often in slots[event.kind].items():
            labels[SLOTS[slot](LABELS, STORY_OF_ROLES, state, event)] += share * often
    return _Totals(nats, kinds, labels)


def _transitions() -> Iterator[tuple[WorldState, Event, float, float]]:
    """Every state, every sentence that can follow it, how likely a story is to pass there, and to go on so."""
    level = {WorldState(): 1.0}
    while level:
        following = defaultdict[WorldState, float](float)
        for state, visits in level.items():
            for event, p in options(state):
                yield state, event, visits, p
                following[_renumbered(after(state, event))] += visits * p
        level = following


def _renumbered(state: WorldState) -> WorldState:
    """The same world with its places numbered in the order of the people and things there: one state for many."""
    numbers: dict[int, int] = {}
    where = tuple([numbers.setdefault(place, len(numbers)) for place in state.where])
    holders = tuple([h if h >= 0 else ~numbers.setdefault(~h, len(numbers)) for h in state.holders])
    return state._replace(where=where, holders=holders)


def _slots_a_sentence(kind: str) -> dict[str, float]:
    """How often each slot occurs in a sentence of a kind, on average over its wordings; the same in every language."""
    frames = forms_of("en").frames[kind]
    return {slot: n / len(frames) for slot, n in Counter(slot for _, slots in frames for slot in slots).items()}


def _labels(form: str, n: int) -> tuple[Label, ...]:
    return tuple((form, role) for role in range(n))


def _item_labels(form: str) -> dict[tuple[int, int], Label]:
    return dict(zip(STORY_OF_ROLES.items, _labels(form, MOST_THINGS), strict=True))


# A story whose rows are its roles, and forms that are labels: so the slots say which form of which role they take.
STORY_OF_ROLES = Derivation(
    events=(),
    wordings=(),
    people=tuple(range(MOST_PEOPLE)),
    items=tuple((i, i) for i in range(MOST_THINGS)),
    places=tuple(range(len(words.PLACES))),
)
LABELS = Forms[Label](
    name=_labels("name", MOST_PEOPLE),
    subject=_labels("subject", MOST_PEOPLE),
    object=_labels("object", MOST_PEOPLE),
    names_own=_labels("names_own", MOST_PEOPLE),
    own=_labels("own", MOST_PEOPLE),
    full=_item_labels("full"),
    new=_item_labels("new"),
    second=_item_labels("second"),
    to=_labels("to", len(words.PLACES)),
    at=_labels("at", len(words.PLACES)),
    there=_labels("there", len(words.PLACES)),
    it=("it", 0),
    too=("too", 0),
    nothing=("nothing", 0),
    between="",
    frames={},
)
