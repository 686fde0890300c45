r"""Rows of their own: one example a row, filled up at the right, and only what should be learnt counts.

An :class:`~minigpt.text.datasets.windows.TokenDataset` cuts windows out of one long text. Here each row is a whole
example – a story, a sentence with its translation, a conversation – that starts at position 1 and has its own length:

::

    ids      A  B  C  D  E          A B C given, D E to be written
    inputs   A  B  C  D  0  0       filled up beyond the longest row; attention is causal, so no 0 is looked at
    targets  ·  ·  D  E  ·  ·       · is -100: the loss leaves it out

The examples of an endless stream come in their own order, except that those of eight steps are dealt to the steps by
length, so that little has to be filled up; which of the eight steps gets the long ones is shuffled. Of a finite number,
row j of step s is example $i = sB + j$ of an order that is new in each epoch.

Dimensions: B rows of the global batch, T positions, at most the context length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from minigpt.settings import check_choice
from minigpt.text.datasets.checks import check_batch, check_ids_below
from minigpt.text.datasets.order import shuffled
from minigpt.text.datasets.windows import IGNORED_TARGET

WIDTHS = 8  # a batch of a stream is a multiple of 8 wide: the fewer shapes, the less PyTorch has to prepare
DEALT_TOGETHER = 8  # steps
DEALING_SEED = 0  # of the stream's own order


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
        reading_steps: at the first so many steps what is given counts too.
        reading_share: how much of it then, drawn step by step; 1 is all.
        cached: what is kept of the stream: the steps that are being dealt.

    Raises:
        ValueError: if there is no row, the context, the share or ``keep`` is not as above.
    """

    row: Callable[[int], Row]
    n_rows: int | None
    context_length: int
    vocab_size: int
    fingerprint: str
    keep: str = "start"
    floor: float | None = None
    reading_steps: int = 0
    reading_share: float = 1.0
    cached: dict[tuple[int, int], list[Row]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.n_rows is not None and self.n_rows < 1:
            raise ValueError(f"n_rows={self.n_rows} must be at least 1; give a text that is not empty")
        if self.context_length < 1:
            raise ValueError(f"context_length={self.context_length} must be at least 1 token")
        if not 0 <= self.reading_share <= 1:
            raise ValueError(f"reading_share={self.reading_share} must be between 0 and 1, a share of what is given")
        check_choice("keep", self.keep, CUTS)

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
            ``(inputs, targets)``, each int64 ``(B / world_size, T)`` with T that of the rank's longest row, rounded up
            to a multiple of 8 in a stream; targets are the inputs one token later, -100 where nothing is to be learnt.

        Raises:
            ValueError: if the ranks cannot share the batch evenly, or an id is not below the vocabulary size.
        """
        check_batch(step, batch_size, rank, world_size)
        share = batch_size // world_size
        mine = slice(rank * share, (rank + 1) * share)
        endless = self.n_rows is None
        rows = self._dealt(step, batch_size) if endless else self._in_order(step, batch_size, seed)
        read = self._read(step, batch_size)[mine] if step < self.reading_steps else None
        return self._padded(rows[mine], read, WIDTHS if endless else 1)

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
            yield self._padded([self._cut(i) for i in range(first, min(first + batch_size, self.n_rows))])

    def _cut(self, i: int) -> Row:
        return CUTS[self.keep](self.row(i), self.context_length + 1)

    def _in_order(self, step: int, batch_size: int, seed: int) -> list[Row]:
        """The rows of a step, where there is a finite number of them."""
        assert self.n_rows is not None
        places = (divmod(i, self.n_rows) for i in range(step * batch_size, (step + 1) * batch_size))
        return [self._cut(shuffled(position, self.n_rows, seed, epoch)) for epoch, position in places]

    def _dealt(self, step: int, batch_size: int) -> list[Row]:
        """The rows of a step of the stream."""
        hand, turn = divmod(step, DEALT_TOGETHER)
        if (hand, batch_size) not in self.cached:
            first, n = hand * DEALT_TOGETHER * batch_size, DEALT_TOGETHER * batch_size
            self.cached.clear()
            self.cached[hand, batch_size] = sorted(
                (self._cut(i) for i in range(first, first + n)), key=lambda row: len(row.ids)
            )
        place = shuffled(turn, DEALT_TOGETHER, DEALING_SEED, hand) * batch_size
        return self.cached[hand, batch_size][place : place + batch_size]

    def _read(self, step: int, batch_size: int) -> np.ndarray:
        """Which targets of a step count whether they are given or not, ``(B, T)``."""
        return np.random.default_rng(step).random((batch_size, self.context_length)) < self.reading_share

    def _padded(self, rows: Sequence[Row], read: np.ndarray | None = None, multiple: int = 1) -> tuple[Tensor, Tensor]:
        longest = max(len(row.ids) for row in rows) - 1
        longest = min(longest + -longest % multiple, self.context_length)
        inputs = np.zeros((len(rows), longest), dtype=np.int64)
        targets = np.full((len(rows), longest), IGNORED_TARGET, dtype=np.int64)
        for i, (ids, counts) in enumerate(rows):
            check_ids_below(ids, self.vocab_size)
            inputs[i, : len(ids) - 1] = ids[:-1]
            learnt = np.array(counts[1:])
            if read is not None:
                learnt |= read[i, : len(learnt)]
            targets[i, : len(ids) - 1] = np.where(learnt, ids[1:], IGNORED_TARGET)
        return torch.from_numpy(inputs), torch.from_numpy(targets)


CUTS: dict[str, Callable[[Row, int], Row]] = {
    "start": lambda row, most: Row(row.ids[:most], row.counts[:most]),
    "end": lambda row, most: Row(row.ids[-most:], row.counts[-most:]),
}
