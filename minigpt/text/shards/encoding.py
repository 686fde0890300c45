"""Encoding pieces of text on all the cores of the machine, in order."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event as EventType
from typing import Any, Protocol

import numpy as np

from minigpt.text.shards.shard import token_dtype
from minigpt.text.tokenizers.borders import encode_border
from minigpt.text.tokenizers.loading import load_tokenizer
from minigpt.text.tokenizers.tokenizer import Tokenizer, TokenizerBase


class Piece(Protocol):
    """Some text that one process encodes at a time; it travels to that process."""

    @property
    def validation(self) -> bool:
        """Whether it is kept for validation."""

    @property
    def n_bytes(self) -> int:
        """Its size in bytes of UTF-8."""

    @property
    def special(self) -> bool:
        """Whether the text of a special token in it becomes that token."""

    def texts(self) -> Iterator[tuple[str, bool, str]]:
        """Its texts, whether ``<|endoftext|>`` ends each, and what does so if the tokenizer has no such token."""


def encoded(pieces: Iterable[Piece], tokenizer: Tokenizer, workers: int) -> Iterator[tuple[Piece, np.ndarray]]:
    """Each piece with its ids, in order; pieces are taken a few ahead of what is asked for.

    Args:
        pieces: may be endless.
        tokenizer: one that :func:`load_tokenizer` can rebuild, since every process needs it.
        workers: processes; 1 starts none.

    Raises:
        ChildProcessError: if the worker processes cannot start, or one is killed.
    """
    if workers == 1:
        yield from ((piece, _encode(piece, tokenizer)) for piece in pieces)
        return
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    with ProcessPoolExecutor(workers, context, _start_worker, (tokenizer.to_json(), started)) as pool:
        ahead: deque[tuple[Piece, Future[np.ndarray]]] = deque()
        try:
            for piece in pieces:
                ahead.append((piece, pool.submit(_encode_in_worker, piece)))
                # a few pieces ahead of the writer keep every worker busy; all of them would fill the memory
                if len(ahead) > 2 * workers:
                    yield _result(ahead.popleft())
            while ahead:
                yield _result(ahead.popleft())
        except BrokenProcessPool as error:
            raise ChildProcessError(_KILLED if started.is_set() else _NOT_STARTED) from error


_KILLED = (
    "a worker process was killed before its work was done, as the system does when memory runs out; start again with "
    "fewer workers, or with 1"
)
_NOT_STARTED = (
    "the worker processes ended before they began: they were killed, or a script calls prepare without "
    'if __name__ == "__main__": around it; do that, or do without them by workers=1'
)


def _result(waiting: tuple[Piece, Future[np.ndarray]]) -> tuple[Piece, np.ndarray]:
    piece, future = waiting
    return piece, future.result()


_worker_tokenizer: Tokenizer


def _start_worker(tokenizer: dict[str, Any], started: EventType) -> None:
    global _worker_tokenizer
    started.set()
    _worker_tokenizer = load_tokenizer(tokenizer)


def _encode_in_worker(piece: Piece) -> np.ndarray:
    return _encode(piece, _worker_tokenizer)


def _encode(piece: Piece, tokenizer: Tokenizer) -> np.ndarray:
    dtype = token_dtype(tokenizer.vocab_size)
    parts = [np.empty(0, dtype)]
    for text, ends, glue in piece.texts():
        if isinstance(tokenizer, TokenizerBase):
            ids: Sequence[int] | np.ndarray = tokenizer.encode_array(text, allow_special=piece.special)
        else:
            ids = tokenizer.encode(text, allow_special=piece.special)
        parts.append(np.asarray(ids, dtype))
        if ends:
            parts.append(np.array(encode_border(tokenizer, glue), dtype))
    return np.concatenate(parts)
