r"""How often each n-gram occurs in a text: all orders up to n, in sorted arrays.

The n-grams of a text form a trie: a k-gram is a (k-1)-gram and one more token. Level k holds the $M_k$ distinct k-grams
of the text in lexicographical order, numbered from 0, each under a key made of its prefix's number and its last token:

$$\operatorname{key}(w_1 \dots w_k) = V \cdot \operatorname{number}(w_1 \dots w_{k-1}) + w_k$$

A binary search for the key finds the k-gram. Keys stay below $V \cdot M_{k-1}$, within 64 bits, where a table of $V^k$
entries would fit into no memory; and the tokens seen after a context lie side by side.

Dimensions: V vocabulary, N tokens of the counted text, T tokens of another text, $M_k \le N$ distinct k-grams.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor

from minigpt.settings import counted

Ids = Sequence[int] | np.ndarray | Tensor

UNSEEN = -1
"""The number of a k-gram that the counted text does not hold."""


@dataclass(frozen=True)
class Level:
    """The distinct k-grams of a text, sorted.

    Attributes:
        keys: ``(M_k,)`` int64, rising.
        counts: ``(M_k,)`` int64: how often each occurs.
        suffixes: ``(M_k,)`` int64: the number, one level below, of its last k-1 tokens.
    """

    keys: np.ndarray
    counts: np.ndarray
    suffixes: np.ndarray

    def find(self, keys: np.ndarray) -> np.ndarray:
        """The numbers of k-grams, from their keys; ``UNSEEN`` where there is none.

        Args:
            keys: ``(T,)`` int64; a key made of an unseen prefix is negative, and so is never found.
        """
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, UNSEEN)


@dataclass(frozen=True)
class NGramCounts:
    """The counts of one text.

    Attributes:
        levels: the k-grams for k = 1 … n.
        vocab_size: V.
    """

    levels: tuple[Level, ...]
    vocab_size: int

    @classmethod
    def of(cls, ids: Ids, order: int, vocab_size: int) -> Self:
        """Count the k-grams of a text for every k up to ``order``.

        Args:
            ids: ``(N,)`` whole numbers in 0 … V-1.
            order: n, the longest k-gram counted, in tokens.
            vocab_size: V.

        Raises:
            ValueError: if n or V is below 1, there are fewer than n tokens, or an id is not below V.
        """
        if order < 1:
            raise ValueError(f"order={order} must be at least 1; 1 counts single tokens, 2 counts pairs")
        if vocab_size < 1:
            raise ValueError(f"vocab_size={vocab_size} must be at least 1; give the tokenizer's vocab_size")
        tokens = check_row(ids, vocab_size)
        if len(tokens) < order:
            fewer = f"give a longer text, or try order={len(tokens)}" if len(tokens) else "give a text that has some"
            raise ValueError(f"a text of {counted(len(tokens), 'token')} has no n-gram of order={order}; {fewer}")
        levels = []
        grams = np.zeros(len(tokens) + 1, dtype=np.int64)  # the empty 0-gram, number 0, starts everywhere
        for k in range(order):
            keys, first, numbers, counts = np.unique(
                grams[:-1] * vocab_size + tokens[k:], return_index=True, return_inverse=True, return_counts=True
            )
            levels.append(Level(keys, counts, suffixes=grams[1:][first]))
            grams = numbers
        return cls(tuple(levels), vocab_size)

    @property
    def order(self) -> int:
        """The longest k-gram, n."""
        return len(self.levels)

    def up_to(self, order: int) -> "NGramCounts":
        """The same counts without the k-grams longer than ``order``.

        Raises:
            ValueError: if they have not been counted.
        """
        if not 1 <= order <= self.order:
            raise ValueError(f"order={order} must lie in 1..{self.order}; count the text again for a higher order")
        return NGramCounts(self.levels[:order], self.vocab_size)

    def walk(self, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For k = 1 … n, look up the k-gram that ends at each token of a text.

        Args:
            ids: ``(T,)`` int64 in 0 … V-1.

        Yields:
            ``(contexts, grams)``, each ``(T,)`` int64: the number of the k-1 tokens before each token, and of the
            k-gram that they make with it. ``UNSEEN`` where the counted text lacks them or this one begins too late.
        """
        contexts = np.zeros(len(ids), dtype=np.int64)
        for level in self.levels:
            grams = level.find(contexts * self.vocab_size + ids)
            yield contexts, grams
            contexts = np.concatenate([[UNSEEN], grams])[:-1]

    def followers(self, k: int, context: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens seen after one context.

        Args:
            k: 1 … n, the length of the context and one more token.
            context: the number of a (k-1)-gram, or ``UNSEEN``.

        Returns:
            ``(tokens, grams)``: the ids of the tokens, rising, and the numbers of the k-grams that they end.
        """
        keys = self.levels[k - 1].keys
        start, stop = np.searchsorted(keys, [context * self.vocab_size, (context + 1) * self.vocab_size])
        return keys[start:stop] - context * self.vocab_size, np.arange(start, stop)


def check_row(ids: Ids, vocab_size: int) -> np.ndarray:
    """A row of token ids as int64.

    Raises:
        ValueError: if it is not a row of whole numbers in 0 … V-1.
    """
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"ids have shape {array.shape} and type {array.dtype}; expected one row (N,) of whole numbers")
    wrong = np.flatnonzero((array < 0) | (array >= vocab_size))
    if wrong.size:
        raise ValueError(
            f"token id {array[wrong[0]]} at position {wrong[0]} is outside 0..{vocab_size - 1}; "
            "give the vocab_size of the tokenizer that made the ids"
        )
    return array.astype(np.int64)
