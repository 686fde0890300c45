"""From text files to shards of token ids, with all the cores of the machine.

The result is a folder::

    train/00000.bin, train/00000.json, …    the ids of the first part, in file order
    validation/00000.bin, …                 the ids of the last part
    tokenizer.json                          the tokenizer that made them

It is the same whatever the number of processes.
"""

import multiprocessing
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.text.bpe import END_OF_TEXT
from minigpt.text.chunks import Chunk, plan_chunks
from minigpt.text.dataset import TokenDataset
from minigpt.text.files import check_fraction, text_files
from minigpt.text.shards import ShardWriter, open_shards, token_dtype
from minigpt.text.tokenizer import Tokenizer, load_tokenizer

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
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
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
    breaks and shared among the processes. Each file is ended by ``<|endoftext|>`` if the tokenizer has that token.

    Args:
        source: a file, a folder, or several of them.
        tokenizer: one that :func:`load_tokenizer` can rebuild, since every process needs it.
        out: a folder that does not exist yet or is empty; it appears when it is complete.
        validation_fraction: the share of the bytes, at the end of the last files, set apart for validation; it starts
            at a line break where there is one.
        workers: processes; None takes one a core where the text is long enough to gain by it, and 1 starts none.
        shard_tokens: ids a shard.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if a file cannot be read, the text is too short to cut in two, or ``out`` is not empty.
        RuntimeError: if the worker processes cannot start.
    """
    check_fraction(validation_fraction)
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty; choose another folder, or remove it first")
    sources: Iterable[Any] = [source] if isinstance(source, str | os.PathLike) else source
    chunks = plan_chunks([file for path in sources for file in text_files(path)], validation_fraction, CHUNK_BYTES)
    if {chunk.validation for chunk in chunks} != {True, False}:
        raise ValueError(
            f"{_n_bytes(chunks)} bytes of text cannot be cut into training and validation; give a longer text"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        _write_shards(unfinished, chunks, tokenizer, _n_workers(workers, chunks), shard_tokens, progress)
        tokenizer.save(unfinished / "tokenizer.json")
        unfinished.chmod(0o755)  # mkdtemp makes private folders
        if out.exists():
            out.rmdir()  # Windows does not rename onto a folder, not even an empty one
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return open_prepared(out)


def open_prepared(out: str | os.PathLike[str], *, verify: bool = False) -> PreparedCorpus:
    """Open a folder made by :func:`prepare`; ``verify`` reads all shards and compares their SHA-256.

    Raises:
        ValueError: if it is not such a folder, or a file of it is damaged.
    """
    out = Path(out)
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
        return max(1, min(os.cpu_count() or 1, _n_bytes(chunks) // (4 * CHUNK_BYTES)))
    if workers < 1:
        raise ValueError(f"workers={workers} must be at least 1; leave it out for one a core")
    return min(workers, len(chunks))


def _n_bytes(chunks: Iterable[Chunk]) -> int:
    return sum(chunk.stop - chunk.start for chunk in chunks)


def _write_shards(
    folder: Path,
    chunks: Sequence[Chunk],
    tokenizer: Tokenizer,
    workers: int,
    shard_tokens: int,
    progress: bool | None,
) -> None:
    from tqdm import tqdm

    writers = {
        validation: ShardWriter(folder / name, tokenizer.vocab_size, shard_tokens)
        for validation, name in ((False, "train"), (True, "validation"))
    }
    delay = 0 if progress else 2
    bar = tqdm(
        total=_n_bytes(chunks),
        desc="tokens",
        unit="B",
        unit_scale=True,
        disable=progress is False,
        delay=delay,
        leave=False,
    )
    with bar:
        for chunk, ids in zip(chunks, _encoded(chunks, tokenizer, workers), strict=True):
            writers[chunk.validation].add(ids)
            bar.update(chunk.stop - chunk.start)
    for writer in writers.values():
        writer.close()


def _encoded(chunks: Sequence[Chunk], tokenizer: Tokenizer, workers: int) -> Iterator[np.ndarray]:
    """The ids of each chunk, in order."""
    if workers == 1:
        yield from (_encode_chunk(chunk, tokenizer) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (tokenizer.to_json(),)) as pool:
        ahead: deque[Future[np.ndarray]] = deque()
        try:
            for chunk in chunks:
                ahead.append(pool.submit(_encode_in_worker, chunk))
                # a few chunks ahead of the writer keep every worker busy; all of them would fill the memory
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "the worker processes stopped; put the code that calls prepare under "
                'if __name__ == "__main__":, or pass workers=1'
            ) from error


_worker_tokenizer: Tokenizer


def _start_worker(tokenizer: dict[str, Any]) -> None:
    global _worker_tokenizer
    _worker_tokenizer = load_tokenizer(tokenizer)


def _encode_in_worker(chunk: Chunk) -> np.ndarray:
    return _encode_chunk(chunk, _worker_tokenizer)


def _encode_chunk(chunk: Chunk, tokenizer: Tokenizer) -> np.ndarray:
    ids = tokenizer.encode(chunk.read())
    if chunk.ends_file and END_OF_TEXT in tokenizer.special_tokens:
        ids.append(tokenizer.special_tokens[END_OF_TEXT])
    return np.array(ids, dtype=token_dtype(tokenizer.vocab_size))
