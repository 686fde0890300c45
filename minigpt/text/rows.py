r"""Rows of their own: one example a row, filled up at the right, and only what should be learnt counts.

An :class:`~minigpt.text.dataset.TokenDataset` cuts windows out of one long text. Here each row is a whole example – a
story, a sentence with its translation, a conversation – that starts at position 1 and has its own length:

::

    ids      A  B  C  D  E          A B C given, D E to be written
    inputs   A  B  C  D  0  0       filled up to the longest row; attention is causal, so no 0 is looked at
    targets  ·  ·  D  E  ·  ·       · is -100: the loss leaves it out

Row j of step s is example $i = sB + j$: of an endless stream, or of as many as there are, in a new order each epoch.

Dimensions: B rows of the global batch, T positions, at most the context length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from minigpt.text.dataset import IGNORED_TARGET, check_batch, check_ids_below, shuffled


class Row(NamedTuple):
    """One example as token ids.

    Attributes:
        ids: all its tokens, at least two.
        counts: for each of them whether it is to be learnt; what is given – a prompt – is not.
    """

    ids: Sequence[int]
    counts: Sequence[bool]


@dataclass(frozen=True)
class RowDataset:
    """Examples as padded batches, a pure function of the step.

    Args:
        row: example i, counted from 0; the same for the same i, always.
        n_rows: how many there are; ``None`` for a stream without end.
        context_length: T, the most positions of a row, in tokens.
        vocab_size: V; every id is below it.
        fingerprint: a text that tells this data from other data.
        keep: what stays of a row that is longer than T + 1 tokens: its "start", or its "end", where the answers are.
        floor: the least expected loss that a model can have, in nats per token; ``None`` where nobody knows it.
        reading_steps: at the first so many steps everything counts, also what is given.

    Raises:
        ValueError: if there is no row, the context is no positive number, or ``keep`` is unknown.
    """

    row: Callable[[int], Row]
    n_rows: int | None
    context_length: int
    vocab_size: int
    fingerprint: str
    keep: str = "start"
    floor: float | None = None
    reading_steps: int = 0

    def __post_init__(self) -> None:
        if self.n_rows is not None and self.n_rows < 1:
            raise ValueError(f"n_rows={self.n_rows} must be at least 1; give a text that is not empty")
        if self.context_length < 1:
            raise ValueError(f"context_length={self.context_length} must be at least 1 token")
        if self.keep not in CUTS:
            raise ValueError(f"keep={self.keep!r} is unknown; choose one of {', '.join(CUTS)}")

    def __str__(self) -> str:
        return "rows without end" if self.n_rows is None else f"{self.n_rows:,} rows"

    def batch(
        self, step: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The rows of one rank at one step; the same arguments give the same rows, always.

        Args:
            step: counted from 0.
            batch_size: B, the rows of all ranks together.
            seed: names the order of a finite number of rows; an endless stream comes in its own order.
            rank: which of the ranks asks.
            world_size: how many ranks there are; their rows, one rank after the other, are the global batch.

        Returns:
            ``(inputs, targets)``, each int64 ``(B / world_size, T)`` with T that of the rank's longest row; targets are
            the inputs one token later, -100 where nothing is to be learnt.

        Raises:
            ValueError: if the ranks cannot share the batch evenly, or an id is not below the vocabulary size.
        """
        check_batch(step, batch_size, rank, world_size)
        share = batch_size // world_size
        first = step * batch_size + rank * share
        return self._padded([self._in_order(i, seed) for i in range(first, first + share)], step < self.reading_steps)

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every row once, in order.

        Args:
            batch_size: rows a batch; the last batch may have fewer.

        Yields:
            ``(inputs, targets)``, each int64 ``(up to batch_size, T)``, as :meth:`batch` gives them.

        Raises:
            ValueError: if the stream has no end.
        """
        if self.n_rows is None:
            raise ValueError("a stream without end can't be gone through whole; take one with n_rows")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        for first in range(0, self.n_rows, batch_size):
            yield self._padded(range(first, min(first + batch_size, self.n_rows)))

    def _in_order(self, i: int, seed: int) -> int:
        if self.n_rows is None:
            return i
        epoch, position = divmod(i, self.n_rows)
        return shuffled(position, self.n_rows, seed, epoch)

    def _padded(self, numbers: Sequence[int], everything: bool = False) -> tuple[Tensor, Tensor]:
        rows = [CUTS[self.keep](self.row(i), self.context_length + 1) for i in numbers]
        longest = max(len(row.ids) for row in rows) - 1
        inputs = np.zeros((len(rows), longest), dtype=np.int64)
        targets = np.full((len(rows), longest), IGNORED_TARGET, dtype=np.int64)
        for i, (ids, counts) in enumerate(rows):
            check_ids_below(ids, self.vocab_size)
            inputs[i, : len(ids) - 1] = ids[:-1]
            learnt = np.array(counts[1:]) | everything
            targets[i, : len(ids) - 1] = np.where(learnt, ids[1:], IGNORED_TARGET)
        return torch.from_numpy(inputs), torch.from_numpy(targets)


CUTS: dict[str, Callable[[Row, int], Row]] = {
    "start": lambda row, most: Row(row.ids[:most], row.counts[:most]),
    "end": lambda row, most: Row(row.ids[-most:], row.counts[-most:]),
}
