"""How the documents of a run begin and end, so that a trained model writes such documents.

=================  =========================================  ===============================================
source             before a document                          its end
=================  =========================================  ===============================================
task "story"       a line end                                 a line end
another task       nothing: the prompt begins the row         a line end, which ends every answer
documents          nothing: a document begins the row         ``<|endoftext|>``, where the tokenizer has it
prepared shards    ``<|endoftext|>``, where it is in them     ``<|endoftext|>``
special tokens     ``<|endoftext|>``, where it is in them     ``<|endoftext|>``
a text             a line end, where the text has one         ``<|endoftext|>``; a text goes on after a line
tiny-world corpus  a line end                                 a line end: a line is a story
=================  =========================================  ===============================================
"""

from itertools import takewhile
from pathlib import Path

import numpy as np

from minigpt.generation import Borders
from minigpt.runs.config import RunConfig
from minigpt.runs.source import Source
from minigpt.text import Tokenizer, load_corpus, open_prepared, read_documents, read_text
from minigpt.text.datasets.documents import split_documents
from minigpt.text.reading import text_files
from minigpt.text.tinyworld import TinyWorld, task_of
from minigpt.text.tokenizers.bpe import END_OF_TEXT

LINE_END = "\n"
LOOKED_AT = 2**20  # tokens of a shard, or bytes of a text, in which a border is looked for


def borders_of(config: RunConfig, tokenizer: Tokenizer) -> Borders:
    """How the documents of a run begin and end.

    Args:
        config: of the run.
        tokenizer: the run's.
    """
    source = config.source
    if source.task is not None:
        return Borders(before=LINE_END if source.task == "story" else "", end=(LINE_END,))
    end = (END_OF_TEXT,) if END_OF_TEXT in tokenizer.special_tokens else ()
    if source.documents:
        return Borders(before="", end=end)
    if end and _has_ends(source, tokenizer.special_tokens[END_OF_TEXT]):
        return Borders(before=END_OF_TEXT, end=end)
    stories = source.text is None and source.data is None and source.corpus == "tiny-world"
    lines = _has_lines(source) and _knows(tokenizer, LINE_END)
    return Borders(before=LINE_END if lines else "", end=(LINE_END,) if stories else end)


def first_words(config: RunConfig, tokenizer: Tokenizer, i: int = 0) -> str:
    """Words that begin document ``i`` of a run whose documents have nothing before them, from which a model can start.

    Args:
        config: of the run.
        tokenizer: the run's.
        i: number of the document; beyond the last it starts again.

    Returns:
        What is given in an example of a task, or the first token of a document of a text.

    Raises:
        ValueError: if the text can't be read.
    """
    source = config.source
    if source.task is not None:
        parts = task_of(source.task).example(TinyWorld(source.language, split="test"), i)
        return "".join(part.text for part in takewhile(lambda part: part.kind is None, parts))
    if source.data is not None:
        return tokenizer.decode([int(open_prepared(source.data).train(1).shards[0].tokens[0])])
    documents = _documents(source)
    return tokenizer.decode(tokenizer.encode(documents[i % len(documents)][:100])[:1])


def _documents(source: Source) -> list[str]:
    if source.text is None:
        text = load_corpus(source.corpus)
        return split_documents(text) if source.documents else [text]
    path = source.text
    return read_documents(path, source.glob) if source.documents else [read_text(path, source.glob)]


def _has_ends(source: Source, end: int) -> bool:
    """Whether a source has the token that ends a document between two documents."""
    if source.data is None:
        return source.special_tokens and _says_ends(source)
    return _shard_has_ends(source.data, end)


def _says_ends(source: Source) -> bool:
    """Whether the first of the text files has the text of that token; if the files are gone, that is assumed."""
    assert source.text is not None
    try:
        first = next(file for file in text_files(source.text, source.glob) if file.is_file())
    except (ValueError, StopIteration):
        return True
    with first.open("rb") as file:
        return END_OF_TEXT.encode() in file.read(LOOKED_AT)


def _shard_has_ends(data: Path, end: int) -> bool:
    """Whether a shard of a prepared folder has the end of a document before its own; if it is gone, that is assumed."""
    try:
        shard = open_prepared(data).train(1).shards[0]
    except ValueError:
        return True
    return bool(np.any(shard.tokens[:LOOKED_AT][:-1] == end))


def _has_lines(source: Source) -> bool:
    """Whether the text has a line end; where that can't be seen, it is assumed."""
    if source.text is None or not source.text.is_file():
        return True
    with source.text.open("rb") as file:
        return b"\n" in file.read(LOOKED_AT).rstrip()


def _knows(tokenizer: Tokenizer, text: str) -> bool:
    try:
        return bool(tokenizer.encode(text))
    except ValueError:
        return False
