r"""From counts of n-grams to probabilities that are nowhere 0.

With $c(hw)$ the number of times that token $w$ came after the context $h$, additive smoothing (:func:`additive`)
pretends that every token was seen $\alpha$ times more. Kneser–Ney smoothing, interpolated (:func:`kneser_ney`), takes
$d$ off every count and shares it out by the context without its first token.

Below the highest order, Kneser and Ney's c is not how often $hw$ occurs but how many distinct tokens come before it,
$c(hw) = N_{1+}(\bullet\,hw)$: "Francisco" is frequent, but after one word only, so it is a poor guess after a new one.
The recursion ends at the uniform distribution $1/V$, and a context that was never seen leaves it to the next shorter
one. With $n_1$ and $n_2$ the k-grams whose c is 1 and 2, each order's discount is estimated as

$$d = \frac{n_1}{n_1 + 2 n_2}$$

Dimensions: V vocabulary, T tokens of a text, n order, k = 1 … n the orders that a model is built from, $M_k$ distinct
k-grams.
Source of the discount: Ney, Essen & Kneser 1994, Computer Speech & Language 8.
Departure: where no k-gram has $c = 1$ the estimate is 0 and would leave unseen tokens no probability; there $d = 1/2$.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np

from minigpt.equations import equation
from minigpt.model.ngrams.counts import NGramCounts


@equation(
    "additive-smoothing",
    r"p_w = \frac{c_w + \alpha}{\sum_{u=1}^{V} c_u + \alpha V}",
    symbols={
        "c": "(V) how often each token came after the context",
        r"\alpha": "() additive constant",
        "p": "(V) its probability after the context",
    },
    source="Lidstone 1920, Trans. Faculty of Actuaries 8",
)
def additive(c: np.ndarray, total: np.ndarray | int, alpha: float, vocab_size: int) -> np.ndarray:
    """Every token seen ``alpha`` times more than it was.

    Args:
        c: ``(T,)`` counts of some tokens, each after its context.
        total: ``(T,)`` or one for all: the sum of the counts of all tokens after that context.
        alpha: in occurrences.
        vocab_size: V.

    Returns:
        ``(T,)`` float64.
    """
    return (c + alpha) / (total + alpha * vocab_size)


@equation(
    "kneser-ney-smoothing",
    r"p_w = \frac{\max(c_w - d, 0) + d N q_w}{\sum_{u=1}^{V} c_u}",
    where=[r"N = \sum_{u=1}^{V} \mathbb{1}[c_u > 0]"],
    symbols={
        "c": "(V) the count of each token after the context",
        "d": "() discount",
        "q": "(V) the probabilities after the context without its first token",
        "p": "(V) the probabilities after the context",
    },
    source="Kneser & Ney 1995, ICASSP; the interpolated form, Chen & Goodman 1999, Computer Speech & Language 13",
)
def kneser_ney(
    c: np.ndarray, total: np.ndarray | int, n_followers: np.ndarray | int, q: np.ndarray, d: float
) -> np.ndarray:
    """What is taken off the counts goes to the shorter context; a context that was never seen leaves it everything.

    Args:
        c: ``(T,)`` counts of some tokens, each after its context.
        total: ``(T,)`` or one for all: the sum of the counts of all tokens after that context.
        n_followers: ``(T,)`` or one for all: the distinct tokens seen after it, N.
        q: ``(T,)`` the tokens' probabilities after the shorter context.
        d: discount, in occurrences.

    Returns:
        ``(T,)`` float64.
    """
    discounted = np.maximum(c - d, 0) + d * n_followers * q
    return np.where(total > 0, discounted / np.maximum(total, 1), q)


@dataclass(frozen=True)
class Order:
    r"""What a model knows of one order k. A last 0 in each array answers for the unseen, whose number is -1.

    Attributes:
        c: ``(M_k + 1,)`` int64, $c(hw)$ of each k-gram.
        totals: ``(M_{k-1} + 1,)`` int64, $\sum_{w} c(hw)$ of each context.
        n_followers: ``(M_{k-1} + 1,)`` int64, $N_{1+}(h\,\bullet)$ of each context.
        vocab_size: V.
    """

    c: np.ndarray
    totals: np.ndarray
    n_followers: np.ndarray
    vocab_size: int

    @classmethod
    def of(cls, counts: NGramCounts, k: int, c: np.ndarray) -> Self:
        """Sum ``c`` ``(M_k,)`` over each context."""
        contexts = counts.levels[k - 1].keys // counts.vocab_size
        n_contexts = 1 if k == 1 else len(counts.levels[k - 2].keys)
        totals = np.bincount(contexts, weights=c, minlength=n_contexts + 1).astype(np.int64)
        n_followers = np.bincount(contexts[c > 0], minlength=n_contexts + 1)
        return cls(np.append(c, 0), totals, n_followers, counts.vocab_size)

    @cached_property
    def estimated_discount(self) -> float:
        """$d = n_1 / (n_1 + 2 n_2)$, or 1/2 if no k-gram has c = 1."""
        n_1, n_2 = int((self.c == 1).sum()), int((self.c == 2).sum())
        return n_1 / (n_1 + 2 * n_2) if n_1 else 0.5


class Smoothing(Protocol):
    """How counts become probabilities that are nowhere 0."""

    def c(self, counts: NGramCounts, k: int) -> np.ndarray:
        """``(M_k,)``: the count that the formula means by $c(hw)$ at order k."""

    def probability(self, order: Order, c: np.ndarray, context: np.ndarray | int, shorter: np.ndarray) -> np.ndarray:
        r"""$p(w \mid h)$, elementwise over any number of contexts and tokens.

        Args:
            order: the counts of this order.
            c: ``(T,)`` $c(hw)$.
            context: ``(T,)`` or one for all: the number of h.
            shorter: ``(T,)`` $p(w \mid h')$.
        """


@dataclass(frozen=True)
class Additive:
    r"""Additive (Lidstone) smoothing; a context that was never seen gives the uniform distribution.

    Attributes:
        alpha: $\alpha > 0$, in occurrences; 1 is Laplace's rule.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < np.inf:
            raise ValueError(f"alpha={self.alpha} must be a finite number above 0; try 1.0, or less on a long text")

    def c(self, counts: NGramCounts, k: int) -> np.ndarray:
        """How often each k-gram occurs."""
        return counts.levels[k - 1].counts

    def probability(self, order: Order, c: np.ndarray, context: np.ndarray | int, shorter: np.ndarray) -> np.ndarray:
        """By :func:`additive`; the shorter context has no say."""
        return additive(c, order.totals[context], self.alpha, order.vocab_size)


@dataclass(frozen=True)
class KneserNey:
    r"""Interpolated Kneser–Ney smoothing.

    Attributes:
        discount: d, in (0, 1], the same for all orders; ``None`` estimates one for each.
    """

    discount: float | None = None

    def __post_init__(self) -> None:
        if self.discount is not None and not 0 < self.discount <= 1:
            raise ValueError(f"discount={self.discount} must lie in (0, 1]; None estimates it from the counts")

    def c(self, counts: NGramCounts, k: int) -> np.ndarray:
        """How often each k-gram occurs; below the highest order, how many distinct tokens come before it."""
        level = counts.levels[k - 1]
        if k == counts.order:
            return level.counts
        return np.bincount(counts.levels[k].suffixes, minlength=len(level.keys))

    def probability(self, order: Order, c: np.ndarray, context: np.ndarray | int, shorter: np.ndarray) -> np.ndarray:
        """By :func:`kneser_ney`."""
        d = order.estimated_discount if self.discount is None else self.discount
        return kneser_ney(c, order.totals[context], order.n_followers[context], shorter, d)
