"""The examples of each task: a text in parts, of which some are given and the others are for the model to write."""

from typing import NamedTuple

from minigpt.text.tinyworld.dialogue import bot_says, converse, user_says
from minigpt.text.tinyworld.questions import answer, draw_questions, needs_two_facts, put
from minigpt.text.tinyworld.rendering import forms_of, render, sentences
from minigpt.text.tinyworld.world import TinyWorld

QUESTIONS = 8  # about one story, if there are so many


class Part(NamedTuple):
    """A piece of an example's text.

    Attributes:
        text: the piece.
        kind: the sort of answer that it is; ``None`` for what is given.
    """

    text: str
    kind: str | None = None


def story(world: TinyWorld, i: int) -> list[Part]:
    """A story after a line end."""
    return [Part("\n"), Part(render(world.derivation(i), _language(world, i)) + "\n", "story")]


TRANSLATE = {"zh": "Translate to Chinese: ", "en": "翻译成英语："}  # by the language of the translation


def translate(world: TinyWorld, i: int) -> list[Part]:
    """A story and its translation: to Chinese if i is even, to English if it is odd."""
    source, target = (("en", "zh"), ("zh", "en"))[i % 2]
    derivation = world.derivation(i)
    return [
        Part(f"{TRANSLATE[target]}{render(derivation, source)}\n"),
        Part(render(derivation, target) + "\n", f"{source} to {target}"),
    ]


def qa(world: TinyWorld, i: int) -> list[Part]:
    """A story up to some point after all have been brought in, and questions about it with their answers."""
    language, derivation, below = _language(world, i), world.derivation(i), world.draws(i, "qa")
    states, between = derivation.states(), forms_of(language).between
    told = len(states) - 2 - below(states[-1].n_actions + 1)
    parts = [Part(between.join(sentences(derivation, language)[:told]) + "\n")]
    for question in draw_questions(states[told], QUESTIONS, below):
        kind = f"{question.kind.split()[0]}{', two facts' if needs_two_facts(question, states[told]) else ''}"
        parts.append(Part(put(question, derivation, language)))
        parts.append(Part(f"{between}{answer(question, derivation, states[told], language)}\n", kind))
    return parts


DIALOGUE = {"en": ("User: {}\nBot: ", "{}\n"), "zh": ("用户：{}\n助手：", "{}\n")}


def dialogue(world: TinyWorld, i: int) -> list[Part]:
    """A conversation of up to four turns."""
    language, derivation = _language(world, i), world.derivation(i)
    asking, replying = DIALOGUE[language]
    parts = []
    for turn in converse(derivation, world.draws(i, "dialogue")):
        kind = "follow-up" if turn.is_follow_up else turn.question.kind.split()[0]
        parts.append(Part(asking.format(user_says(turn, derivation, language))))
        parts.append(Part(replying.format(bot_says(turn, derivation, language)), kind))
    return parts


def _language(world: TinyWorld, i: int) -> str:
    """The language of example i; a world of both takes them in turn."""
    return world.languages[i % len(world.languages)]
