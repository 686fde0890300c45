"""A tokenizer for the texts of a task, whose tokens may be whole phrases."""

from collections.abc import Sequence

from minigpt.text.tinyworld.tasks import task_of
from minigpt.text.tinyworld.words import COLOURS, PEOPLE, PLACES, THINGS
from minigpt.text.tinyworld.world import TinyWorld
from minigpt.text.tokenizers.bpe import BPETokenizer

READ = 2000  # examples that a tokenizer is trained on


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


def task_tokenizer(task: str, world: TinyWorld, vocab_size: int) -> BPETokenizer:
    """A byte-pair tokenizer for the texts of a task, whose tokens may be whole phrases.

    Args:
        task: a name of :data:`~minigpt.text.tinyworld.tasks.TASKS`.
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
