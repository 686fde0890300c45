"""From a stream of documents to shards: for corpora that fit neither in memory nor, as text, on the disk.

::

    Hugging Face dataset ──> documents, one after another ──> shards of token ids ──> training

The stream is read once, into shards; training reads those. So its batches stay a function of the step, and a run that
was stopped continues without the stream.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from minigpt.limits import usable_cores
from minigpt.text.datasets.order import mix
from minigpt.text.reading import BETWEEN_FILES, check_fraction
from minigpt.text.shards.preparation import CHUNK_BYTES, PreparedCorpus, write_corpus
from minigpt.text.tokenizers.tokenizer import Tokenizer

FILE_TYPES = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv", ".txt": "text"}


def prepare_documents(
    documents: Iterable[str],
    tokenizer: Tokenizer,
    out: str | os.PathLike[str],
    *,
    validation_fraction: float = 0.1,
    workers: int | None = None,
    shard_tokens: int = 2**26,
    progress: bool | None = None,
) -> PreparedCorpus:
    """Encode documents as they come into memory-mapped shards; :func:`minigpt.prepare` does the same for files.

    Each document is ended by ``<|endoftext|>`` if the tokenizer has that token, else by a blank line. Which ones are
    kept for validation follows from their place in the stream, so a longer stream adds to both parts and moves nothing
    between them.

    Args:
        documents: texts, read once.
        tokenizer: one that :func:`load_tokenizer` can rebuild, since every process needs it.
        out: a folder that does not exist yet or is empty; it appears when it is complete.
        validation_fraction: the share of the documents that is kept for validation.
        workers: processes; None takes one a core if the stream is long enough to gain by it, and 1 starts none.
        shard_tokens: ids a shard.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if a document is not a text, nothing falls to training or to validation, or ``out`` is not empty.
        ChildProcessError: if the worker processes cannot start, or one is killed.
    """
    check_fraction(validation_fraction)
    bundles = bundled(documents, validation_fraction)
    if workers is None:
        start = list(islice(bundles, 5))  # a process takes longer to start than a bundle to encode
        workers = usable_cores() if len(start) == 5 else 1
        bundles = chain(start, bundles)
    if workers < 1:
        raise ValueError(f"workers={workers} must be at least 1; leave it out for one a core")
    return write_corpus(out, bundles, tokenizer, workers=workers, shard_tokens=shard_tokens, progress=progress)


@dataclass(frozen=True)
class Bundle:
    """Documents that one process encodes at a time."""

    documents: tuple[str, ...]
    validation: bool
    special: bool = False

    @property
    def n_bytes(self) -> int:
        """Their size in UTF-8."""
        return sum(len(text.encode()) for text in self.documents)

    def texts(self) -> Iterator[tuple[str, bool, str]]:
        """Each document, which is ended, by a blank line where the tokenizer has no token for it."""
        return ((text, True, BETWEEN_FILES) for text in self.documents)


def bundled(documents: Iterable[str], validation_fraction: float) -> Iterator[Bundle]:
    """Documents in bundles of about :data:`~minigpt.text.shards.preparation.CHUNK_BYTES`, the two parts apart.

    Raises:
        ValueError: if a document is not a text.
    """
    waiting: dict[bool, list[str]] = {False: [], True: []}
    sizes = {False: 0, True: 0}
    for i, text in enumerate(documents):
        if not isinstance(text, str):
            raise ValueError(f"document {i} is {text!r:.60}, expected a text; name the column that holds the texts")
        validation = mix(i) < validation_fraction * 2**64
        waiting[validation].append(text)
        sizes[validation] += len(text)
        if sizes[validation] >= CHUNK_BYTES:
            yield Bundle(tuple(waiting[validation]), validation)
            waiting[validation], sizes[validation] = [], 0
    yield from (Bundle(tuple(part), validation) for validation, part in waiting.items() if part)


def first_text(documents: Iterable[str], n_characters: int = 10**7) -> str:
    """The documents from the first on, until there are ``n_characters``: what a tokenizer is trained on.

    Args:
        documents: of a stream; no more are read than are needed.
        n_characters: at least so many, if there are.
    """
    texts, size = [], 0
    for text in documents:
        texts.append(text)
        if (size := size + len(text)) >= n_characters:
            break
    return "\n\n".join(texts)


def dataset_documents(
    name: str, *, subset: str | None = None, split: str = "train", column: str = "text"
) -> Iterator[str]:
    """The texts of a dataset from Hugging Face, streamed: nothing is downloaded but what is read.

    A row whose text is null is left out; at the end of the stream a warning says how many there were.

    Args:
        name: of a dataset on the Hub, such as "roneneldan/TinyStories"; or a JSONL, Parquet, CSV or text file.
        subset: of a dataset that has several, also called its configuration.
        split: "train", "validation", …
        column: what holds the text of each row.

    Raises:
        ImportError: if the ``datasets`` package is missing.
        ValueError: if there is no such column, or a row has something other than a text in it.
        OSError: if there is no such dataset, or it can't be reached.
    """
    try:
        from datasets import load_dataset
    except ImportError:
        raise ImportError(
            "reading a dataset needs the package datasets: pip install 'minigpt-as-written[datasets]'"
        ) from None
    file_type = FILE_TYPES.get(Path(name).suffix) if Path(name).is_file() else None
    where = (name, subset) if file_type is None else (file_type,)
    rows = load_dataset(*where, split=split, streaming=True, **({"data_files": name} if file_type else {}))
    n_null = 0
    for i, row in enumerate(rows):
        if column not in row:
            raise ValueError(f"{name} has no column {column!r}; choose one of {', '.join(row)} (--column)")
        if row[column] is None:
            n_null += 1
        elif isinstance(row[column], str):
            yield row[column]
        else:
            raise ValueError(
                f"row {i} of {name} has {row[column]!r:.60} in {column!r}, expected a text; name the column that holds "
                "the texts (--column), or leave the row out"
            )
    if n_null:
        warnings.warn(f"{n_null:,} rows of {name} have no text in {column!r} and were left out", stacklevel=2)
