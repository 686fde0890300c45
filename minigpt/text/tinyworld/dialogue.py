"""Conversations about a story: it is told bit by bit, and after each bit somebody asks about it.

::

    User: One cold morning, Anna was in the park with a red kite. Tom was on the hill. Who has the red kite?
    Bot: Anna has it.
    User: Anna left the park and went to see Tom on the hill. She sat down on the hill and gave the red kite to him.
          Who has the red kite?
    Bot: Tom has it.
    User: Where is he?
    Bot: On the hill.

A question right after another, with nothing told between, is a follow-up: it says "it", "she" or "he" of what has just
been spoken of. A new bit of the story names its first actor again.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from minigpt.text.tinyworld.derivation import Derivation
from minigpt.text.tinyworld.plot import NONE, WorldState
from minigpt.text.tinyworld.questions import Question, ask, possible, put, reply
from minigpt.text.tinyworld.rendering import forms_of, sentence

MOST_TURNS = 4
ABOUT_THINGS = ("who", "where thing")
ABOUT_PEOPLE = ("where person", "which", "how many things")


class Turn(NamedTuple):
    """What the user says at once.

    Attributes:
        told: the sentences of the story that come first, by number; none in a follow-up.
        question: what is asked then.
        state: the world that it is asked of.
    """

    told: range
    question: Question
    state: WorldState

    @property
    def is_follow_up(self) -> bool:
        """Whether the question says "it", "she" or "he" of what has just been spoken of."""
        return not self.told


def converse(derivation: Derivation, below: Callable[[int], int]) -> Iterator[Turn]:
    """Draw the turns of a conversation about a story, without its last sentence, which would tell an answer.

    Args:
        derivation: the story.
        below: called with a whole number n, gives one of 0 to n - 1, each equally likely.

    Yields:
        One to :data:`MOST_TURNS` turns, the first of which brings in everybody.
    """
    states = derivation.states()
    end = len(derivation.events) - 1
    told, asked = range(sum(state.n_actions == 0 for state in states) - 1), set[Question]()
    turn = Turn(told, ask(states[told.stop], below), states[told.stop])
    yield turn
    for _ in range(MOST_TURNS - 1):
        asked.add(turn.question)
        options = [question for question in follow_ups(turn) if question not in asked]
        if options and (told.stop == end or below(2)):
            turn = Turn(range(0), options[below(len(options))], turn.state)
        elif told.stop < end:
            told, asked = range(told.stop, min(told.stop + 1 + below(2), end)), set()
            turn = Turn(told, ask(states[told.stop], below), states[told.stop])
        else:
            return
        yield turn


def follow_ups(turn: Turn) -> list[Question]:
    """The questions about the thing and the person that the turn's question or its answer named."""
    (kind, about), state = turn.question, turn.state
    person = about if kind in ABOUT_PEOPLE else NONE
    thing = about if kind in ABOUT_THINGS else NONE
    if kind == "who":
        person = state.holders[about]
    if kind == "which":
        thing = state.holders.index(about)
    return [
        question
        for questions in possible(state).values()
        for question in questions
        if (question.kind in ABOUT_THINGS and question.about == thing)
        or (question.kind in ABOUT_PEOPLE and question.about == person)
    ]


def user_says(turn: Turn, derivation: Derivation, language: str) -> str:
    """The words of a turn: what is told, then the question.

    Raises:
        ValueError: if there is no such language.
    """
    forms, states = forms_of(language), derivation.states()
    said = []
    for i in turn.told:
        # somebody has asked a question since the last sentence: a pronoun would mean the one asked about
        state = states[i]._replace(subject=NONE, topic=NONE) if i == turn.told.start else states[i]
        said.append(sentence(forms, derivation, state, derivation.events[i], derivation.wordings[i]))
    said.append(put(turn.question, derivation, language, pronoun=turn.is_follow_up))
    return forms.between.join(said)


def bot_says(turn: Turn, derivation: Derivation, language: str) -> str:
    """The one right answer to a turn, as a sentence.

    Raises:
        ValueError: if there is no such language.
    """
    return reply(turn.question, derivation, turn.state, language)
