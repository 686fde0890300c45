"""What a run reads: the text that its configuration names, tokenized and cut into training and validation."""

import warnings
from pathlib import Path

from minigpt.runs.config import RunConfig
from minigpt.runs.source import Source, check_tokenizer, vocabulary_of
from minigpt.text import (
    BPETokenizer,
    CharTokenizer,
    Dataset,
    DocumentDataset,
    TokenDataset,
    Tokenizer,
    load_corpus,
    load_tokenizer,
    open_prepared,
    read_documents,
    tiktoken_tokenizer,
)
from minigpt.text.datasets.documents import split_documents, split_validation
from minigpt.text.reading import BETWEEN_FILES, read_texts, split_texts
from minigpt.text.tinyworld import TinyWorld, task_rows, task_text, task_tokenizer
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.training.processes.distributed import is_main_process

VALIDATED = 500  # examples of a task


def build_tokenizer(name: str, text: str, whole_text: str | None = None) -> Tokenizer:
    """The tokenizer that a name stands for.

    Args:
        name: "char", "bpe" or "bpe:1024", a tiktoken name such as "gpt2", or the file of a saved tokenizer.
        text: what a BPE tokenizer is trained on.
        whole_text: where a character tokenizer takes its characters from; ``None`` means ``text``.

    Raises:
        ValueError: if the name stands for none.
    """
    check_tokenizer(name)
    kind = name.partition(":")[0]
    if kind == "char":
        return CharTokenizer.train(text if whole_text is None else whole_text)
    if kind == "bpe":
        return BPETokenizer.train(text, vocabulary_of(name))
    if Path(name).is_file():
        return load_tokenizer(Path(name))
    try:
        return tiktoken_tokenizer(name)
    except ValueError as error:
        raise ValueError(f"tokenizer={name!r} is not char, bpe:1024 or a saved tokenizer's file, and {error}") from None


def open_splits(config: RunConfig, tokenizer: Tokenizer | None = None) -> tuple[Tokenizer, Dataset, Dataset]:
    """The tokenizer, the training split and the validation split that a configuration describes.

    A task gives :class:`~minigpt.text.RowDataset`, documents give :class:`~minigpt.text.DocumentDataset`, everything
    else :class:`~minigpt.TokenDataset`; each is cut for the model's context length.

    Args:
        config: names the text, or the prepared shards, and the tokenizer.
        tokenizer: a trained one, used instead of the one that ``config`` names.

    Raises:
        ValueError: if the text or the tokenizer can't be used, or a split is shorter than the context.
    """
    source, context_length = config.source, config.model.context_length
    if source.task is not None:
        return _open_task(config, source.task, tokenizer)
    if source.documents:
        return _open_documents(source, context_length, tokenizer)
    if source.data is not None:
        prepared = open_prepared(source.data)
        return prepared.tokenizer, prepared.train(context_length), prepared.validation(context_length)
    texts = [load_corpus(source.corpus)] if source.text is None else read_texts(source.text, source.glob)
    if tokenizer is None and source.special_tokens:
        tokenizer = _untrained(source)
    parts = split_texts(texts, source.validation_fraction, _special_texts(source, tokenizer))
    if tokenizer is None:
        tokenizer = _tokenizer_of(source, *map(BETWEEN_FILES.join, (parts[0], texts)))
    # the shorter part first: a context that it is long enough for suits both
    validation, data = (
        TokenDataset.from_text(part, tokenizer, context_length, allow_special=source.special_tokens)
        for part in reversed(parts)
    )
    if source.text is None and source.corpus == "tiny-world":
        validation.floor = TinyWorld(split="validation").floor(tokenizer).nats_per_token
    return tokenizer, data, validation


def _untrained(source: Source) -> Tokenizer | None:
    """The tokenizer of a source, where it is not made from the text."""
    made_here = source.tokenizer is not None and source.tokenizer.partition(":")[0] in ("char", "bpe")
    return None if made_here else _tokenizer_of(source, "", None)


def _special_texts(source: Source, tokenizer: Tokenizer | None) -> list[str]:
    """The texts that are tokens of their own, which no cut goes through."""
    if not source.special_tokens:
        return []
    return [END_OF_TEXT] if tokenizer is None else list(tokenizer.special_tokens)


def _open_task(config: RunConfig, task: str, tokenizer: Tokenizer | None) -> tuple[Tokenizer, Dataset, Dataset]:
    source, context_length = config.source, config.model.context_length
    world = TinyWorld(source.language, seed=config.training.seed)
    if tokenizer is None:
        tokenizer = _tokenizer_of_task(source, task, world)
    reading_steps = int(source.reading * config.training.steps)
    data = task_rows(task, world, tokenizer, context_length, reading_steps=reading_steps)
    held_out = TinyWorld(source.language, split="validation")
    return tokenizer, data, task_rows(task, held_out, tokenizer, context_length, VALIDATED)


def _open_documents(
    source: Source, context_length: int, tokenizer: Tokenizer | None
) -> tuple[Tokenizer, Dataset, Dataset]:
    texts = (
        split_documents(load_corpus(source.corpus)) if source.text is None else read_documents(source.text, source.glob)
    )
    parts = split_validation(texts, source.validation_fraction)
    if tokenizer is None:
        tokenizer = _tokenizer_of(source, "\n\n".join(parts[0]), "\n\n".join(texts))
    data, validation = (DocumentDataset.encode(part, tokenizer, context_length) for part in parts)
    return tokenizer, data, validation


def tell_what_is_dropped(*splits: Dataset) -> None:
    """Warn of documents that do not fit the context.

    Args:
        splits: as :func:`open_splits` returns them.
    """
    documents = [split for split in splits if isinstance(split, DocumentDataset)]
    n_cut, n_dropped = (sum(getattr(split, name) for split in documents) for name in ("n_cut", "n_dropped"))
    if n_dropped and is_main_process():
        n_documents, context = sum(split.n_rows or 0 for split in documents), documents[0].context_length
        warnings.warn(
            f"{n_cut:,} of {n_documents:,} documents are longer than context_length={context}, and their {n_dropped:,} "
            "tokens beyond it are dropped; a longer context or shorter documents keep them",
            stacklevel=3,
        )


def _tokenizer_of_task(source: Source, task: str, world: TinyWorld) -> Tokenizer:
    name = source.tokenizer
    if name is not None and name.partition(":")[0] == "bpe":
        return task_tokenizer(task, world, vocabulary_of(name))
    return _tokenizer_of(source, task_text(task, world), None)


def _tokenizer_of(source: Source, text: str, whole_text: str | None) -> Tokenizer:
    if source.tokenizer is not None:
        return build_tokenizer(source.tokenizer, text, whole_text)
    assert source.from_pretrained is not None
    return load_tokenizer(source.from_pretrained)
