"""The examples of a task as padded rows of ids, of which only the answers count."""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.tinyworld.examples import Part
from minigpt.text.tinyworld.tasks import TASKS, task_of
from minigpt.text.tinyworld.world import TinyWorld
from minigpt.text.tokenizers.tokenizer import Tokenizer

KNOWN_PARTS = 2**14  # whose tokens are kept; questions and answers come again and again

READING_SHARE = 0.05  # of what is given, at the reading steps: more of it would drown the few words of an answer


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
        task: a name of :data:`~minigpt.text.tinyworld.tasks.TASKS`.
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
