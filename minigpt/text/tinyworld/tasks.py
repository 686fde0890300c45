"""Four tasks made of the same stories: tell one, translate it, answer questions about it, talk about it.

An example is a text in parts: some are given, and the others are for the model to write. Every answer ends its line, so
a line end is where a model stops.

=========  ==========================================================  ============================================
task       given                                                       to be written
=========  ==========================================================  ============================================
story      a line end                                                  a story
translate  ``Translate to Chinese:`` and a story, or the other way     the same story in the other language
qa         a story as far as it has been told; then questions          after each question the answer, in brief
dialogue   a story bit by bit, and a question after each               after each question the answer, in a sentence
=========  ==========================================================  ============================================
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.tinyworld.dialogue import bot_says, converse, user_says
from minigpt.text.tinyworld.questions import answer, draw_questions, needs_two_facts, put
from minigpt.text.tinyworld.rendering import forms_of, render, sentences
from minigpt.text.tinyworld.words import COLOURS, PEOPLE, PLACES, THINGS
from minigpt.text.tinyworld.world import TinyWorld
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.tokenizer import Tokenizer

QUESTIONS = 8  # about one story, if there are so many

READ = 2000  # examples that a tokenizer is trained on

KNOWN_PARTS = 2**14  # whose tokens are kept; questions and answers come again and again

READING_SHARE = 0.05  # of what is given, at the reading steps: more of it would drown the few words of an answer


def _words(language: int, *tables: Sequence[tuple[str, ...]]) -> str:
    """A pattern of all words of some tables, the longer of two that begin alike first."""
    return "|".join(sorted((row[language] for table in tables for row in table), key=len, reverse=True))


# What a tokenizer may join: a question's end and who speaks next; where something is, such as " in the park"; a word
# for a thing, a colour or a place, with the blank before it; a capitalised word; a punctuation mark; and the phrases
# between them. So " was playing" may be one token, while a thing is the same token wherever it is spoken of; and no
# token reaches across a question mark or a line end into an answer. Such a word begins with a capital, a blank or a
# Chinese character, so that elsewhere nothing has to be looked for.
WHERE = "|".join(f" {word}|{word.capitalize()}" for word in sorted({place.preposition for place in PLACES}))
WORDS = (
    rf"(?:{WHERE}) the (?:{_words(0, PLACES)})\b| (?:{_words(0, COLOURS, THINGS, PLACES)})\b"
    rf"|{_words(1, PEOPLE, COLOURS, THINGS, PLACES)}"
)
PHRASES = (
    rf"[?？]\n\p{{L}}+(?:: |：)|{WORDS}|\p{{Lu}}\p{{Ll}}*(?:: )?"
    rf"|(?:[^ 一-龥\p{{Lu}}\n:：?？。，]+|(?!{WORDS})[ 一-龥])+：?|[:：?？。，]|\n+"
)


class Part(NamedTuple):
    """A piece of an example's text.

    Attributes:
        text: the piece.
        kind: the sort of answer that it is; ``None`` for what is given.
    """

    text: str
    kind: str | None = None


@dataclass(frozen=True)
class Task:
    """What a model is to do with the stories of a tiny world.

    Attributes:
        summary: one line in plain words.
        example: example i of a world: its parts, in order.
        prompt: for a conversation with the model: the text that it is to go on with, from what was said before and the
            new line.
    """

    summary: str
    example: Callable[[TinyWorld, int], list[Part]]
    prompt: Callable[[str, str], str]


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


def task_rows(
    task: str,
    world: TinyWorld,
    tokenizer: Tokenizer,
    context_length: int,
    n_rows: int | None = None,
    *,
    reading_steps: int = 0,
) -> RowDataset:
    """The examples of a task as padded rows, of which only the answers count.

    Args:
        task: a name of :data:`TASKS`.
        world: where the stories come from.
        tokenizer: encodes each part by itself, as it will be when the model is asked.
        context_length: T, in tokens; what is longer loses its beginning.
        n_rows: the first so many examples, with the floor of their loss; ``None`` for a stream without end.
        reading_steps: at the first so many steps a sample of what is given counts too.

    Raises:
        ValueError: if there is no such task.
    """
    example = task_of(task).example
    encode = lru_cache(maxsize=KNOWN_PARTS)(tokenizer.encode)

    def row(i: int) -> Row:
        ids, answers = _encode_each(example(world, i), encode)
        counts = [False] * len(ids)
        for _, start, stop in answers:
            counts[start:stop] = [True] * (stop - start)
        return Row(ids, counts)

    sample = [example(world, i) for i in range(20)]  # tells another edition of the language from this one
    fingerprint = hashlib.sha256(
        f"{task}/{world}/{n_rows}/{reading_steps}/{READING_SHARE}/{sample}".encode()
    ).hexdigest()[:16]
    return RowDataset(
        row,
        n_rows,
        context_length,
        tokenizer.vocab_size,
        fingerprint,
        keep="end",
        floor=None if n_rows is None else task_floor(task, world, tokenizer),
        reading_steps=reading_steps,
        reading_share=READING_SHARE,
    )


def task_tokenizer(task: str, world: TinyWorld, vocab_size: int) -> BPETokenizer:
    """A byte-pair tokenizer for the texts of a task, whose tokens may be whole phrases.

    Args:
        task: a name of :data:`TASKS`.
        world: where the stories come from.
        vocab_size: V, the number of ids wanted.

    Raises:
        ValueError: if there is no such task, or ``vocab_size`` is too small.
    """
    return BPETokenizer.train(task_text(task, world), vocab_size, pattern=PHRASES)


def task_text(task: str, world: TinyWorld) -> str:
    """The first examples of a task as one text, for a tokenizer to be trained on.

    Args:
        task: its name.
        world: where the examples come from.

    Raises:
        ValueError: if there is no such task.
    """
    example = task_of(task).example
    return "".join(part.text for i in range(READ) for part in example(world, i))


def task_floor(task: str, world: TinyWorld, tokenizer: Tokenizer) -> float:
    """The least expected loss, in nats per token that counts: the entropy of a story; 0 where one answer is right.

    Raises:
        ValueError: if there is no such task.
    """
    if task_of(task) is not TASKS["story"]:
        return 0.0
    floor = world.floor(tokenizer)
    return floor.nats_per_token * len(world.languages)  # a story is told in one of them


class Answer(NamedTuple):
    """Where an answer stands among the ids of an example, and its kind."""

    kind: str
    start: int
    stop: int


def encode_parts(parts: Sequence[Part], tokenizer: Tokenizer) -> tuple[list[int], list[Answer]]:
    """The ids of an example, each part encoded by itself, and where its answers stand.

    Args:
        parts: of the example, in order.
        tokenizer: turns each into ids.
    """
    return _encode_each(parts, tokenizer.encode)


def _encode_each(parts: Sequence[Part], encode: Callable[[str], list[int]]) -> tuple[list[int], list[Answer]]:
    ids: list[int] = []
    answers = []
    for text, kind in parts:
        start = len(ids)
        ids += encode(text)
        if kind is not None:
            answers.append(Answer(kind, start, len(ids)))
    return ids, answers


def task_of(name: str) -> Task:
    """The task of this name.

    Args:
        name: one of :data:`TASKS`.

    Raises:
        ValueError: if there is none.
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}; choose {', '.join(TASKS)}")
    return TASKS[name]


def _language(world: TinyWorld, i: int) -> str:
    """The language of example i; a world of both takes them in turn."""
    return world.languages[i % len(world.languages)]


def _script(text: str) -> str:
    """The language that a person writes: Chinese if there is a Chinese character."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def _continue_story(said: str, line: str) -> str:
    return f"\n{line}"


def _translate_line(said: str, line: str) -> str:
    target = "en" if _script(line) == "zh" else "zh"
    return f"{TRANSLATE[target]}{line}\n"


def _ask_about_story(said: str, line: str) -> str:
    """The line ends with a question; what comes before it is the story, or else that of the questions before."""
    found = re.fullmatch(r"(?:(.*[.。])\s*)?([^.。]*[?？])", line.strip())
    if not found or not (found[1] or said):
        raise ValueError(
            "tell a story and ask about it in one line: Anna was in the park with a red kite. … Who has it?"
        )
    told = f"{found[1]}\n" if found[1] else said
    return told + found[2]


def _say(said: str, line: str) -> str:
    return said + DIALOGUE[_script(line)][0].format(line)


#: The tasks by name.
TASKS = {
    "story": Task("tell stories", story, _continue_story),
    "translate": Task("translate stories between English and Chinese", translate, _translate_line),
    "qa": Task("answer questions about a story", qa, _ask_about_story),
    "dialogue": Task("talk about a story while it is told", dialogue, _say),
}
