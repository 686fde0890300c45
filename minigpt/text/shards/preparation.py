"""From text files to shards of token ids, with all the cores that this process may use.

The result is a folder::

    train/00000.bin, train/00000.json, …    the ids of the first part, in file order
    validation/00000.bin, …                 the ids of the last part
    tokenizer.json                          the tokenizer that made them

It is the same whatever the number of processes.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigpt.files.folder import whole_folder
from minigpt.files.paths import as_path
from minigpt.limits import usable_cores
from minigpt.text.datasets.windows import TokenDataset
from minigpt.text.reading import TextFiles, check_fraction
from minigpt.text.shards.chunks import Chunk, plan_chunks
from minigpt.text.shards.encoding import Piece, encoded
from minigpt.text.shards.partial import only_writer
from minigpt.text.shards.shard import ShardWriter, open_shards
from minigpt.text.tokenizers.loading import load_tokenizer
from minigpt.text.tokenizers.tokenizer import Tokenizer

CHUNK_BYTES = 2**22


@dataclass(frozen=True)
class PreparedCorpus:
    """A folder that :func:`prepare` made.

    Args:
        folder: where it is.
        tokenizer: what made the ids.
        n_train_tokens: ids in ``train/``.
        n_validation_tokens: ids in ``validation/``.
    """

    folder: Path
    tokenizer: Tokenizer
    n_train_tokens: int
    n_validation_tokens: int

    def train(self, context_length: int) -> TokenDataset:
        """The training part, memory-mapped."""
        return TokenDataset.open(self.folder / "train", context_length)

    def validation(self, context_length: int) -> TokenDataset:
        """The validation part, memory-mapped."""
        return TokenDataset.open(self.folder / "validation", context_length)


def prepare(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | TextFiles,
    tokenizer: Tokenizer,
    out: str | os.PathLike[str],
    *,
    validation_fraction: float = 0.1,
    workers: int | None = None,
    shard_tokens: int = 2**26,
    progress: bool | None = None,
) -> PreparedCorpus:
    """Encode text files into memory-mapped shards.

    Files are taken in the order given, those of a folder in the order of their paths; a large one is cut at line
    breaks and shared among the processes. Each file is ended by ``<|endoftext|>`` if the tokenizer has that token;
    otherwise there is a blank line between two files.

    Args:
        source: a file, a folder, or several of them; or :class:`~minigpt.text.reading.TextFiles`, for files of other
            names, or where the text of a special token is that token.
        tokenizer: one that :func:`load_tokenizer` can rebuild, since every process needs it.
        out: a folder that does not exist yet or is empty; it appears when it is complete. What a killed process left
            of it is deleted.
        validation_fraction: the share of the bytes, at the end of the last files, set apart for validation; it starts
            at a line break where there is one.
        workers: processes; None takes one a core where the text is long enough to gain by it, and 1 starts none.
        shard_tokens: ids a shard.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if a file cannot be read, the text is too short to cut in two, or ``out`` is not empty.
        ChildProcessError: if the worker processes cannot start, or one is killed.
    """
    check_fraction(validation_fraction)
    texts = source if isinstance(source, TextFiles) else TextFiles(source)
    special_tokens = list(tokenizer.special_tokens) if texts.special_tokens else []
    with texts.on_disk() as files:
        chunks = plan_chunks(files, validation_fraction, CHUNK_BYTES, special_tokens)
        return write_corpus(
            out,
            chunks,
            tokenizer,
            workers=_n_workers(workers, chunks),
            shard_tokens=shard_tokens,
            n_bytes=_n_bytes(chunks),
            progress=progress,
        )


def open_prepared(out: str | os.PathLike[str], *, verify: bool = False) -> PreparedCorpus:
    """Open a folder made by :func:`prepare`.

    Args:
        out: the folder.
        verify: whether to read all shards and compare their SHA-256.

    Raises:
        ValueError: if it is not such a folder, or a file of it is damaged.
    """
    out = as_path(out, "out")
    tokenizer = load_tokenizer(out / "tokenizer.json")
    counts = []
    for part in ("train", "validation"):
        shards = open_shards(out / part, verify=verify)
        if shards[0].header.vocab_size != tokenizer.vocab_size:
            raise ValueError(
                f"{out / part} has ids below {shards[0].header.vocab_size}, but tokenizer.json has a vocabulary of "
                f"{tokenizer.vocab_size}; prepare the data again"
            )
        counts.append(sum(shard.header.count for shard in shards))
    return PreparedCorpus(out, tokenizer, *counts)


def _n_workers(workers: int | None, chunks: Sequence[Chunk]) -> int:
    if workers is None:
        # a process takes longer to start than a chunk to encode
        return max(1, min(usable_cores(), _n_bytes(chunks) // (4 * CHUNK_BYTES)))
    if workers < 1:
        raise ValueError(f"workers={workers} must be at least 1; leave it out for one a core")
    return max(1, min(workers, len(chunks)))


def _n_bytes(chunks: Iterable[Chunk]) -> int:
    return sum(chunk.n_bytes for chunk in chunks)


def write_corpus(
    out: str | os.PathLike[str],
    pieces: Iterable[Piece],
    tokenizer: Tokenizer,
    *,
    workers: int,
    shard_tokens: int,
    n_bytes: int | None = None,
    progress: bool | None = None,
) -> PreparedCorpus:
    """Encode pieces of text into the shards of a prepared folder, which appears when it is complete.

    Args:
        out: a folder that does not exist yet or is empty.
        pieces: the text, in order.
        tokenizer: one that :func:`load_tokenizer` can rebuild.
        workers: processes; 1 starts none.
        shard_tokens: ids a shard.
        n_bytes: of all pieces, if known; for the bar.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if ``out`` is not empty, or nothing falls to training or to validation.
    """
    out, full_disk = as_path(out, "out"), f"{out} was not written; free some space and try again"
    with only_writer(out) as place, whole_folder(out, full_disk, partial=place) as partial:
        writers = {
            validation: ShardWriter(partial / name, tokenizer.vocab_size, shard_tokens)
            for validation, name in ((False, "train"), (True, "validation"))
        }
        n_read = 0
        with _bar(n_bytes, progress) as bar:
            for piece, ids in encoded(pieces, tokenizer, workers):
                writers[piece.validation].add(ids)
                bar.update(piece.n_bytes)
                n_read += piece.n_bytes
        for writer in writers.values():
            writer.close()
        if not all(writer.n_tokens for writer in writers.values()):
            raise ValueError(f"{n_read:,} bytes of text cannot be cut into training and validation; give a longer text")
        tokenizer.save(partial / "tokenizer.json")
    return open_prepared(out)


def _bar(n_bytes: int | None, progress: bool | None) -> Any:
    from tqdm import tqdm

    options = {"unit": "B", "unit_scale": True, "leave": False}
    return tqdm(total=n_bytes, desc="tokens", disable=progress is False, delay=0 if progress else 2, **options)
