r"""Batches as a pure function of the step.

Row $j$ of step $s$ is sample $i = sB + j$ of an endless stream; with $n$ windows an epoch, $(\text{epoch}, p) =
\operatorname{divmod}(i, n)$, and the window read is the $p$-th of that epoch's shuffle. The step is thus the only
state: a run resumed at step $s$ sees what it would have seen, and any number of ranks sees the same global batch.

Dimensions: B rows of the global batch, T context length in tokens, N tokens in all.

An epoch cuts the stream into $n$ windows of T targets that do not overlap. Where the first one starts, the phase, is
drawn anew each epoch, so later epochs see other cuts; the up to 2T tokens that no whole window covers change with it.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from minigpt.text.datasets.order import mix, permute
from minigpt.text.shards.shard import Shard, as_shard, open_shards

if TYPE_CHECKING:
    from minigpt.text.tokenizers.tokenizer import Tokenizer

IGNORED_TARGET = -100

_BLOCK = 4096


class Dataset(Protocol):
    """What a model is trained and measured on: batches of inputs and targets, a pure function of the step.

    Attributes:
        context_length: the most positions of a row, in tokens.
        vocab_size: V; every id is below it.
        fingerprint: tells this data from other data.
        floor: the least expected loss that a model can have, in nats per token; ``None`` where nobody knows it.
    """

    @property
    def context_length(self) -> int: ...  # noqa: D102

    @property
    def vocab_size(self) -> int: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    @property
    def floor(self) -> float | None: ...  # noqa: D102

    def batch(
        self, step: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor]:
        """``(inputs, targets)`` of one rank at one step; targets are -100 where nothing is to be learnt."""
        ...

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """``(inputs, targets)`` of everything there is, once and in order."""
        ...


class TokenDataset:
    """A row of N token ids, read in windows of T inputs and their T next tokens.

    Args:
        tokens: whole numbers ``(N,)`` in memory, or opened shards that follow each other.
        context_length: T, in tokens.
        vocab_size: V; every id is below it.
        floor: the least expected loss that a model can have, in nats per token; ``None`` where nobody knows it.

    Raises:
        ValueError: if there are fewer than T + 1 tokens, or an id is not below V.
    """

    def __init__(
        self,
        tokens: np.ndarray | Tensor | Sequence[int] | Sequence[Shard],
        context_length: int,
        *,
        vocab_size: int,
        floor: float | None = None,
    ) -> None:
        shards = [token for token in tokens if isinstance(token, Shard)] if isinstance(tokens, list) else []
        self.shards = shards or [as_shard(tokens, vocab_size)]
        # Python's whole numbers: 32-bit offsets overflow past 4 GB
        self._starts = [0, *accumulate(shard.header.count for shard in self.shards)]
        self.n_tokens = self._starts[-1]
        self.context_length = context_length
        self.vocab_size = vocab_size
        self.floor = floor
        if context_length < 1:
            raise ValueError(f"context_length={context_length} must be at least 1 token")
        if self.n_tokens < context_length + 1:
            raise ValueError(
                f"{self.n_tokens} tokens are too few for context_length={context_length}, which needs "
                f"{context_length + 1}; give a longer text, or "
                + (f"try context_length={self.n_tokens - 1}" if self.n_tokens > 1 else "one that is not empty")
            )

    @classmethod
    def from_text(cls, text: str, tokenizer: "Tokenizer", context_length: int) -> "TokenDataset":
        """Encode a text and keep its ids in memory."""
        return cls(np.array(tokenizer.encode(text), dtype=np.int64), context_length, vocab_size=tokenizer.vocab_size)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], context_length: int, *, verify: bool = False) -> "TokenDataset":
        """Memory-map the shards of a folder; ``verify`` reads them once and compares their SHA-256.

        Raises:
            ValueError: if there are no shards, or one is not what its header says.
        """
        shards = open_shards(folder, verify=verify)
        return cls(shards, context_length, vocab_size=shards[0].header.vocab_size)

    def __str__(self) -> str:
        return f"{self.n_tokens:,} tokens"

    @property
    def n_windows(self) -> int:
        """Windows an epoch, the same for every phase."""
        return max(1, self.n_tokens // self.context_length - 1)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell this data from other data: a hash of the type and hash of each shard."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        parts = [f"{shard.header.dtype} {shard.header.sha256}" for shard in self.shards]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def batch(
        self, step: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The rows of one rank at one step; the same arguments give the same rows, always.

        Args:
            step: counted from 0.
            batch_size: B, the rows of all ranks together.
            seed: names the order; another seed, another order.
            rank: which of the ranks asks.
            world_size: how many ranks there are; their rows, one rank after the other, are the global batch.

        Returns:
            ``(inputs, targets)``, each int64 ``(B / world_size, T)``; targets are the inputs one token later.

        Raises:
            ValueError: if the ranks cannot share the batch evenly, or an id read is not below the vocabulary size.
        """
        check_batch(step, batch_size, rank, world_size)
        share = batch_size // world_size
        first = step * batch_size + rank * share
        starts = [self._window_start(i, seed) for i in range(first, first + share)]
        return self._rows(starts)

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole row once, in order: every token but the first is a target exactly once.

        Args:
            batch_size: windows a batch; the last batch may have fewer.

        Yields:
            ``(inputs, targets)``, each int64 ``(up to batch_size, T)``. The last window is filled up with inputs 0 and
            targets -100, which the loss leaves out.

        Raises:
            ValueError: if ``batch_size`` is less than 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        starts = range(0, self.n_tokens - 1, self.context_length)
        for first in range(0, len(starts), batch_size):
            yield self._rows(starts[first : first + batch_size])

    def _window_start(self, i: int, seed: int) -> int:
        epoch, position = divmod(i, self.n_windows)
        window = shuffled(position, self.n_windows, seed, epoch)
        slack = self.n_tokens - self.n_windows * self.context_length
        return _phase(min(slack, self.context_length), seed, epoch) + window * self.context_length

    def _rows(self, starts: Sequence[int]) -> tuple[Tensor, Tensor]:
        T = self.context_length
        rows = np.full((len(starts), T + 1), IGNORED_TARGET, dtype=np.int64)
        for row, start in zip(rows, starts, strict=True):
            self._read_into(row, start)
        check_ids_below(rows, self.vocab_size)
        targets = torch.from_numpy(rows[:, 1:].copy())
        rows[rows == IGNORED_TARGET] = 0
        return torch.from_numpy(rows[:, :-1].copy()), targets

    def _read_into(self, row: np.ndarray, start: int) -> None:
        """Copy the tokens from ``start`` on into ``row``, as many as there are."""
        stop = min(start + len(row), self.n_tokens)
        index = bisect_right(self._starts, start) - 1
        position = start
        while position < stop:
            end = min(stop, self._starts[index + 1])
            offset = self._starts[index]
            row[position - start : end - start] = self.shards[index].tokens[position - offset : end - offset]
            position, index = end, index + 1


def shuffled(position: int, n: int, seed: int, epoch: int) -> int:
    """Which of n samples comes at a position of an epoch."""
    block, place = divmod(position, _BLOCK)
    return int(_order(n, seed, epoch, block)[place])


@lru_cache(maxsize=64)
def _order(n: int, seed: int, epoch: int, block: int) -> np.ndarray:
    """One block of an epoch's shuffle; a block at a time, because single indices cost a hundred times more."""
    positions = np.arange(block * _BLOCK, min(n, (block + 1) * _BLOCK))
    return permute(positions, n, mix(seed, epoch))


@lru_cache(maxsize=64)
def _phase(n_phases: int, seed: int, epoch: int) -> int:
    return mix(seed, epoch, 1) % n_phases


def check_ids_below(ids: np.ndarray | Sequence[int], vocab_size: int) -> None:
    """Refuse data with an id that the model has no embedding for."""
    if (highest := np.max(ids)) >= vocab_size:
        raise ValueError(
            f"the data holds token id {highest}, but vocab_size={vocab_size}; "
            "prepare it again with the tokenizer of this model"
        )


def check_batch(step: int, batch_size: int, rank: int, world_size: int) -> None:
    """Refuse a batch that the ranks can't share evenly."""
    if step < 0:
        raise ValueError(f"step={step} must not be negative")
    if not 0 <= rank < world_size:
        raise ValueError(f"rank={rank} must lie in 0..world_size - 1, and world_size={world_size}")
    if batch_size < world_size:
        raise ValueError(f"batch_size={batch_size} leaves some of {world_size} ranks without a row; try {world_size}")
    if batch_size % world_size:
        raise ValueError(
            f"batch_size={batch_size} must be divisible by world_size={world_size}; "
            f"try batch_size={batch_size - batch_size % world_size}"
        )
