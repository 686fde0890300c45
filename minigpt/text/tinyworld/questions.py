"""Questions about a story, each with one right answer, in both languages.

A question is asked of the world as the story has left it, and a sentence that names what is asked about may be out of
date: who has a thing follows from the last time that it changed hands; where it is, from that and from where its holder
went since.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from minigpt.text.tinyworld.derivation import Derivation
from minigpt.text.tinyworld.plot import KNOWN_STATES, WorldState, place_of
from minigpt.text.tinyworld.rendering import LANGUAGES, forms_of
from minigpt.text.tinyworld.words import Pair


class Question(NamedTuple):
    """What is asked: a kind of :data:`KINDS`, and the role of the person, the thing or the place that it is about."""

    kind: str
    about: int


class Wording(NamedTuple):
    """How a kind of question is put and answered, English beside Chinese.

    Attributes:
        full: the question, by name.
        pronoun: the same of somebody or something just spoken of; ``None`` where there is no pronoun for it.
        sentence: the answer in a conversation; what is asked about is a pronoun there.
    """

    full: Pair
    pronoun: Pair | None
    sentence: Pair


KINDS = {
    "who": Wording(
        ("Who has {full}?", "谁拿着{full}？"),
        ("Who has it?", "谁拿着它？"),
        ("{Answer} has it.", "{Answer}拿着它。"),
    ),
    "where thing": Wording(
        ("Where is {full}?", "{full}在哪里？"),
        ("Where is it?", "它在哪里？"),
        ("{Answer}.", "在{answer}。"),
    ),
    "where person": Wording(
        ("Where is {name}?", "{name}在哪里？"),
        ("Where is {subject}?", "{subject}在哪里？"),
        ("{Answer}.", "在{answer}。"),
    ),
    "which": Wording(
        ("Which thing does {name} have?", "{name}拿着哪样东西？"),
        ("Which thing does {subject} have?", "{subject}拿着哪样东西？"),
        ("{Subject} has {answer}.", "{Subject}拿着{answer}。"),
    ),
    "how many things": Wording(
        ("How many things does {name} have?", "{name}拿着几样东西？"),
        ("How many things does {subject} have?", "{subject}拿着几样东西？"),
        ("{Subject} has {answer}.", "{answer}。"),
    ),
    "how many people": Wording(
        ("How many people are {at}?", "{at}有几个人？"),
        None,
        ("{Answer} of them.", "{answer}。"),
    ),
}
NUMBERS: dict[str, tuple[Pair, ...]] = {  # Chinese counts things and people with different measure words
    "how many things": (("none", "一样也没有"), ("one", "一样"), ("two", "两样"), ("three", "三样")),
    "how many people": (("none", "没有人"), ("one", "一个"), ("two", "两个"), ("three", "三个")),
}
NOBODY: Pair = ("nobody", "没有人")


@lru_cache(maxsize=KNOWN_STATES)
def possible(state: WorldState) -> dict[str, tuple[Question, ...]]:
    """For each kind, the questions that have one right answer."""
    people, things = range(len(state.where)), range(len(state.holders))
    about = {
        "who": things,
        "where thing": things,
        "where person": people,
        "which": [p for p in people if state.holders.count(p) == 1],
        "how many things": people,
        "how many people": range(state.n_places),
    }
    return {kind: tuple(Question(kind, role) for role in roles) for kind, roles in about.items() if roles}


def ask(state: WorldState, below: Callable[[int], int]) -> Question:
    """Draw a question: its kind first, then what it is about.

    Args:
        state: the world that it is asked of, with two people at least.
        below: called with a whole number n, gives one of 0 to n - 1, each equally likely.
    """
    return next(draw_questions(state, 1, below))


def draw_questions(state: WorldState, n_most: int, below: Callable[[int], int]) -> Iterator[Question]:
    """Draw questions, as :func:`ask` does, none of them twice.

    Args:
        state: the world that they are asked of, with two people at least.
        n_most: how many; fewer if there are no more.
        below: called with a whole number n, gives one of 0 to n - 1, each equally likely.
    """
    menus = [list(questions) for questions in possible(state).values()]
    for _ in range(n_most):
        if not menus:
            return
        menu = menus[below(len(menus))]
        yield menu.pop(below(len(menu)))
        menus = [menu for menu in menus if menu]


def needs_two_facts(question: Question, state: WorldState) -> bool:
    """Whether two facts make the answer: where a thing is that somebody has, and how many there are."""
    if question.kind == "where thing":
        return state.holders[question.about] >= 0
    return question.kind.startswith("how many")


def answer(question: Question, derivation: Derivation, state: WorldState, language: str) -> str:
    """The right answer, as briefly as can be: a name, a place, a thing or a number.

    Raises:
        ValueError: if there is no such language.
    """
    forms, d, about = forms_of(language), derivation, question.about
    which = LANGUAGES.index(language)
    if question.kind == "who":
        holder = state.holders[about]
        return NOBODY[which] if holder < 0 else forms.name[d.people[holder]]
    if question.kind == "where thing":
        return forms.at[d.places[place_of(state, about)]]
    if question.kind == "where person":
        return forms.at[d.places[state.where[about]]]
    if question.kind == "which":
        return forms.full[d.items[state.holders.index(about)]]
    counted = state.holders if question.kind == "how many things" else state.where
    return NUMBERS[question.kind][counted.count(about)][which]


def put(question: Question, derivation: Derivation, language: str, *, pronoun: bool = False) -> str:
    """The question in words; with ``pronoun``, of somebody or something just spoken of.

    Raises:
        ValueError: if there is no such language.
    """
    wording = KINDS[question.kind]
    pair = (wording.pronoun or wording.full) if pronoun else wording.full
    return _fill(pair, question, derivation, language)


def reply(question: Question, derivation: Derivation, state: WorldState, language: str) -> str:
    """The right answer as a sentence of a conversation.

    Raises:
        ValueError: if there is no such language.
    """
    brief = answer(question, derivation, state, language)
    return _fill(KINDS[question.kind].sentence, question, derivation, language, answer=brief, Answer=_capital(brief))


def _fill(pair: Pair, question: Question, derivation: Derivation, language: str, **words: str) -> str:
    forms, about, d = forms_of(language), question.about, derivation
    if question.kind in ("who", "where thing"):
        words |= {"full": forms.full[d.items[about]]}
    elif question.kind == "how many people":
        words |= {"at": forms.at[d.places[about]]}
    else:
        subject = forms.subject[d.people[about]]
        words |= {"name": forms.name[d.people[about]], "subject": subject, "Subject": _capital(subject)}
    return pair[LANGUAGES.index(language)].format(**words)


def _capital(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]
