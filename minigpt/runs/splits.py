"""What a run reads: the text that its configuration names, tokenized and cut into training and validation."""

from pathlib import Path
from typing import TYPE_CHECKING

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
    read_text,
    split_text,
    tiktoken_tokenizer,
)
from minigpt.text.datasets.documents import split_documents, split_validation
from minigpt.text.tinyworld import TinyWorld, task_rows, task_text, task_tokenizer

if TYPE_CHECKING:
    from minigpt.runs.run import RunConfig

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


def vocabulary_of(name: str) -> int:
    """How many tokens a name such as "bpe:1024" asks for; "bpe" means 1024.

    Raises:
        ValueError: if what follows the colon is no number.
    """
    _, _, size = name.partition(":")
    if size and not size.isdecimal():
        raise ValueError(f"tokenizer={name!r}: after 'bpe:' comes the number of tokens, as in bpe:1024")
    return int(size or 1024)


def open_splits(
    config: "RunConfig", context_length: int, tokenizer: Tokenizer | None = None
) -> tuple[Tokenizer, Dataset, Dataset]:
    """The tokenizer, the training split and the validation split that a configuration speaks of.

    A task gives :class:`~minigpt.text.RowDataset`, a recipe for documents :class:`~minigpt.text.DocumentDataset`,
    everything else :class:`~minigpt.TokenDataset`.

    Args:
        config: names the text, or the prepared shards, and the tokenizer.
        context_length: T, in tokens.
        tokenizer: a trained one, used instead of the one that ``config`` names.

    Raises:
        ValueError: if the text or the tokenizer can't be used, or a split is shorter than the context.
    """
    if config.task is not None:
        return _open_task(config, config.task, context_length, tokenizer)
    if config.chosen.documents:
        return _open_documents(config, context_length, tokenizer)
    if config.data is not None:
        prepared = open_prepared(config.data)
        return prepared.tokenizer, prepared.train(context_length), prepared.validation(context_length)
    text = load_corpus(config.corpus) if config.text is None else read_text(config.text)
    parts = split_text(text, config.validation_fraction)
    if tokenizer is None:
        tokenizer = _tokenizer_of(config, parts[0], text)
    data, validation = (TokenDataset.from_text(part, tokenizer, context_length) for part in parts)
    if config.text is None and config.corpus == "tiny-world":
        validation.floor = TinyWorld(split="validation").floor(tokenizer).nats_per_token
    return tokenizer, data, validation


def _open_task(
    config: "RunConfig", task: str, context_length: int, tokenizer: Tokenizer | None
) -> tuple[Tokenizer, Dataset, Dataset]:
    world = TinyWorld(config.language, seed=config.seed)
    if tokenizer is None:
        tokenizer = _tokenizer_of_task(config, task, world)
    reading_steps = int(config.chosen.reading * config.train_config().steps)
    data = task_rows(task, world, tokenizer, context_length, reading_steps=reading_steps)
    held_out = TinyWorld(config.language, split="validation")
    return tokenizer, data, task_rows(task, held_out, tokenizer, context_length, VALIDATED)


def _open_documents(
    config: "RunConfig", context_length: int, tokenizer: Tokenizer | None
) -> tuple[Tokenizer, Dataset, Dataset]:
    if config.data is not None:
        raise ValueError(
            f"recipe={config.recipe!r} reads documents, and {config.data} holds one long text; give a text"
        )
    texts = split_documents(load_corpus(config.corpus)) if config.text is None else read_documents(config.text)
    parts = split_validation(texts, config.validation_fraction)
    if tokenizer is None:
        tokenizer = _tokenizer_of(config, "\n\n".join(parts[0]), "\n\n".join(texts))
    data, validation = (DocumentDataset.encode(part, tokenizer, context_length) for part in parts)
    return tokenizer, data, validation


def _tokenizer_of_task(config: "RunConfig", task: str, world: TinyWorld) -> Tokenizer:
    name = config.tokenizer or config.chosen.tokenizer
    if name.partition(":")[0] == "bpe":
        return task_tokenizer(task, world, vocabulary_of(name))
    return build_tokenizer(name, task_text(task, world))


def _tokenizer_of(config: "RunConfig", text: str, whole_text: str) -> Tokenizer:
    if config.tokenizer is None and config.from_pretrained is not None:
        return load_tokenizer(config.from_pretrained)
    return build_tokenizer(config.tokenizer or config.chosen.tokenizer, text, whole_text)
