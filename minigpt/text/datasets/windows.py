r"""Batches as a pure function of the step.

Row $j$ of step $s$ is sample $i = sB + j$ of an endless stream; with $n$ windows an epoch, $(\text{epoch}, p) =
\operatorname{divmod}(i, n)$, and the window read is the $p$-th of that epoch's shuffle. The step is thus the only
state: a run resumed at step $s$ sees what it would have seen, and any number of ranks sees the same global batch.

In an epoch every token but the first is a target exactly once; :mod:`~minigpt.text.datasets.cuts` says how. A batch has
B rows of T tokens each, of which a row at either end of the text has some that do not count.

Dimensions: B rows of the global batch, T context length in tokens, N tokens in all.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from minigpt.text.datasets.checks import check_batch, check_ids_below
from minigpt.text.datasets.cuts import CUT_NAME, count_windows, draw_window
from minigpt.text.shards.shard import Shard, as_shard, open_shards
from minigpt.text.tokenizers.borders import encode_texts

if TYPE_CHECKING:
    from minigpt.text.tokenizers.tokenizer import Tokenizer

IGNORED_TARGET = -100


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
                f"{self.n_tokens} {'token is' if self.n_tokens == 1 else 'tokens are'} too few for "
                f"context_length={context_length}, which needs {context_length + 1}; give a longer text"
                + (f", or try context_length={self.n_tokens - 1}" if self.n_tokens > 1 else "")
            )

    @classmethod
    def from_text(
        cls, text: str | Sequence[str], tokenizer: "Tokenizer", context_length: int, *, allow_special: bool = False
    ) -> "TokenDataset":
        """Encode a text and keep its ids in memory.

        Args:
            text: one text; or several, between which comes ``<|endoftext|>``, or a blank line if the tokenizer has no
                such token.
            tokenizer: what makes the ids.
            context_length: T, in tokens.
            allow_special: whether the text of a special token, such as ``<|endoftext|>``, becomes that token.
        """
        ids = encode_texts(text, tokenizer, allow_special=allow_special)
        return cls(np.array(ids, dtype=np.int64), context_length, vocab_size=tokenizer.vocab_size)

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
        """n: rows an epoch, the same in every one; together they have every token but the first as a target once."""
        return count_windows(self.n_tokens - 1, self.context_length)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell this data, and how it is cut, from others.

        A hash of the type and the hash of each shard, and of the name of the cuts.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        parts = [CUT_NAME, *(f"{shard.header.dtype} {shard.header.sha256}" for shard in self.shards)]
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
            ``(inputs, targets)``, each int64 ``(B / world_size, T)``; targets are the inputs one token later, or -100
            where another row of the epoch has the target.

        Raises:
            ValueError: if the ranks cannot share the batch evenly, or an id read is not below the vocabulary size.
        """
        check_batch(step, batch_size, rank, world_size)
        share, T = batch_size // world_size, self.context_length
        first = step * batch_size + rank * share
        windows = [draw_window(i, self.n_tokens - 1, T, seed=seed) for i in range(first, first + share)]
        inputs, targets = self._rows([window.start for window in windows])
        for row, (_, first_target, stop) in zip(targets, windows, strict=True):
            row[:first_target] = row[stop:] = IGNORED_TARGET
        return inputs, targets

    def __len__(self) -> int:
        """How many windows :meth:`windows` gives: the items of a ``torch.utils.data.DataLoader``."""
        return -(-(self.n_tokens - 1) // self.context_length)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        """Window ``i`` of :meth:`windows`: inputs and targets, each int64 ``(T,)``.

        Raises:
            IndexError: if there are not so many.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"window {i} of {len(self)}")
        inputs, targets = self._rows([i % len(self) * self.context_length])
        return inputs[0], targets[0]

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
