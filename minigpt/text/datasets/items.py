r"""Any map-style data as batches: what has a length and gives item i, such as a ``torch.utils.data.Dataset``.

Row $j$ of step $s$ is item $i = sB + j$ of an order that is new in each epoch, as in :mod:`minigpt.text.datasets.rows`;
an item that is shorter than the longest of its batch is filled up at the right.

Dimensions: B rows of the global batch, n tokens of an item, T the most positions of a row.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from numbers import Integral
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from minigpt.text.datasets.checks import check_batch, check_ids_below
from minigpt.text.datasets.order import shuffled
from minigpt.text.datasets.windows import IGNORED_TARGET, Dataset

NO_LIMIT = sys.maxsize
FINGERPRINTED = 64  # items that the fingerprint reads
MOST_LOOKED_AT = 1_000  # items, from the first to the last, of which one has to have a target that counts
EXPECTED = "expected token ids (n,), or a pair (inputs, targets) of (n,) each"


class Items(Protocol):
    """What map-style data is."""

    def __len__(self) -> int:
        """How many items there are."""
        ...

    def __getitem__(self, i: Any, /) -> Any:
        """Item i, counted from 0."""
        ...


class ItemDataset:
    """The items of map-style data as padded batches, a pure function of the step as far as the items are.

    Args:
        items: each is token ids ``(n,)``, which are the inputs and, one token later, the targets; or a pair of inputs
            and targets ``(n,)`` each, the targets -100 where nothing is to be learnt.
        context_length: T, the most positions of a row, in tokens; ``None`` for no limit.
        vocab_size: V; every id is below it; ``None`` if it is not known.

    Raises:
        ValueError: if there is no item, the first one is neither, or no target counts.
    """

    floor: float | None = None

    def __init__(self, items: Items, *, context_length: int | None = None, vocab_size: int | None = None) -> None:
        if not len(items):
            raise ValueError("the data has no item; give at least one")
        self.items, self.n_items = items, len(items)
        self.vocab_size = NO_LIMIT if vocab_size is None else vocab_size
        self._most = NO_LIMIT if context_length is None else context_length
        self.context_length = len(self._row(0)[0]) if context_length is None else context_length
        self._check_that_one_counts()

    def __str__(self) -> str:
        return f"{self.n_items:,} items"

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell this data from other data: a hash of the length and of some items."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(str(self.n_items).encode())
        for k in range(min(FINGERPRINTED, self.n_items)):
            inputs, targets = self._row(k * self.n_items // min(FINGERPRINTED, self.n_items))
            digest.update(f"{inputs.tolist()} {targets.tolist()}".encode())
        return digest.hexdigest()[:16]

    def batch(
        self, step: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The rows of one rank at one step; arguments as those of :meth:`minigpt.TokenDataset.batch`.

        Raises:
            ValueError: if the ranks cannot share the batch evenly, or an item can't be learnt from.
        """
        check_batch(step, batch_size, rank, world_size)
        share = batch_size // world_size
        first = step * batch_size + rank * share
        places = (divmod(i, self.n_items) for i in range(first, first + share))
        return self._padded([shuffled(position, self.n_items, seed, epoch) for epoch, position in places])

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every item once, in order.

        Args:
            batch_size: items a batch; the last batch may have fewer.

        Yields:
            ``(inputs, targets)``, each int64 ``(up to batch_size, T)``.

        Raises:
            ValueError: if ``batch_size`` is less than 1, or an item can't be learnt from.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        for first in range(0, self.n_items, batch_size):
            yield self._padded(range(first, min(first + batch_size, self.n_items)))

    def _check_that_one_counts(self) -> None:
        most = min(MOST_LOOKED_AT, self.n_items)
        if not any((self._row(k * self.n_items // most)[1] != IGNORED_TARGET).any() for k in range(most)):
            raise ValueError(
                f"in all items of the data that were looked at ({most:,}), each target is {IGNORED_TARGET}: there is "
                "nothing to learn; give the tokens to be predicted as targets"
            )

    def _padded(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        inputs, targets = zip(*map(self._row, numbers), strict=True)
        return (
            pad_sequence(list(inputs), batch_first=True),
            pad_sequence(list(targets), batch_first=True, padding_value=IGNORED_TARGET),
        )

    def _row(self, i: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of one item, ``(n,)`` int64 each."""
        item = self.items[i]
        if isinstance(item, tuple | list) and len(item) == 2 and not _is_number(item[0]):
            inputs, targets = (_ids(part, i) for part in item)
        else:
            ids = _ids(item, i)
            inputs, targets = ids[:-1], ids[1:]
        if not len(inputs) == len(targets) > 0:
            raise ValueError(f"item {i} of the data has {len(inputs)} inputs and {len(targets)} targets; {EXPECTED}")
        if len(inputs) > self._most:
            raise ValueError(
                f"item {i} of the data has {len(inputs)} inputs, the model takes {self._most}; cut the items shorter"
            )
        found = torch.cat([inputs, targets[targets != IGNORED_TARGET]]).numpy()
        if found.min() < 0:
            raise ValueError(f"item {i} of the data holds the id {found.min()}; a target that does not count is -100")
        check_ids_below(found, self.vocab_size)
        return inputs, targets


def _is_number(value: Any) -> bool:
    """Whether it is one number, of Python, NumPy or PyTorch, and not a row of them."""
    return isinstance(value, Integral) or getattr(value, "ndim", None) == 0


def _ids(value: Any, i: int) -> Tensor:
    try:
        ids = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"item {i} of the data is a {type(value).__name__}; {EXPECTED}") from None
    if ids.dim() != 1 or ids.dtype not in WHOLE_NUMBERS:
        kind = f"{str(ids.dtype).removeprefix('torch.')} {tuple(ids.shape)}"
        raise ValueError(f"item {i} of the data is {kind}; {EXPECTED}. One long row of ids is for minigpt.TokenDataset")
    return ids.to("cpu", torch.int64)


WHOLE_NUMBERS = (torch.uint8, torch.uint16, torch.int16, torch.int32, torch.int64)


def as_dataset(data: Any, *, context_length: int | None = None, vocab_size: int | None = None) -> Dataset:
    """``data`` itself where it makes batches, as a :class:`minigpt.TokenDataset` does; otherwise its items in batches.

    Args:
        data: a :class:`Dataset`, or :class:`Items`.
        context_length: as the next, of an :class:`ItemDataset`; a :class:`Dataset` has its own.
        vocab_size: V.

    Raises:
        ValueError: if it is neither, naming what is missing.
    """
    makes_batches = hasattr(data, "batch")
    needed = MAKES_BATCHES if makes_batches else ("__len__", "__getitem__")
    if missing := [name for name in needed if not hasattr(data, name)]:
        raise ValueError(
            f"{type(data).__name__} has no {', '.join(missing)}; expected a minigpt.TokenDataset, or map-style data "
            "with __len__ and __getitem__, such as a torch Dataset (of a DataLoader, its dataset)"
        )
    return data if makes_batches else ItemDataset(data, context_length=context_length, vocab_size=vocab_size)


MAKES_BATCHES = ("context_length", "vocab_size", "fingerprint", "floor", "windows")
