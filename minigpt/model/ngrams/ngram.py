r"""The statistical language model: a token's probability from what followed the n-1 tokens before it in a counted text.

$$p(x_1, \dots, x_T) = \prod_{t=1}^{T} p(x_t \mid x_1, \dots, x_{t-1})
\approx \prod_{t=1}^{T} p(x_t \mid x_{t-n+1}, \dots, x_{t-1})$$

The first form is the chain rule, and what a GPT models; the second forgets all but the last n-1 tokens, so
that contexts come again and can be counted. What a count says of a context seen rarely or never is up to the smoothing:
:class:`~minigpt.model.ngrams.smoothing.KneserNey` or :class:`~minigpt.model.ngrams.smoothing.Additive`.

Dimensions: V vocabulary, N tokens of the counted text, T tokens of another, n order, S tokens of a context.
Source: Shannon 1948, A Mathematical Theory of Communication, section 3.
"""

from itertools import islice
from typing import Self

import numpy as np
import torch

from minigpt.model.ngrams.counts import Ids, NGramCounts, check_row
from minigpt.model.ngrams.smoothing import KneserNey, Order, Smoothing
from minigpt.settings import counted


class NGram:
    """A language model of order n: it predicts a token from the n-1 tokens before it.

    Where fewer tokens come before, as at the start of a text, the probability is that of the shorter context.

    Args:
        counts: the counted text; their order is the model's.
        smoothing: ``KneserNey()`` or ``Additive()``.
    """

    def __init__(self, counts: NGramCounts, smoothing: Smoothing | None = None) -> None:
        self.counts = counts
        self.smoothing = KneserNey() if smoothing is None else smoothing
        self.orders = [Order.of(counts, k, self.smoothing.c(counts, k)) for k in range(1, counts.order + 1)]

    @classmethod
    def train(cls, ids: Ids, order: int, vocab_size: int, smoothing: Smoothing | None = None) -> Self:
        """Count a text.

        Args:
            ids: ``(N,)`` whole numbers in 0 … V-1; a list, an array or a tensor.
            order: n: 1 for single tokens, 2 for pairs, …
            vocab_size: V.
            smoothing: ``KneserNey()``, which is used for ``None``, or ``Additive()``.

        Raises:
            ValueError: if n or V is below 1, there are fewer than n tokens, or an id is not below V.
        """
        return cls(NGramCounts.of(ids, order, vocab_size), smoothing)

    @property
    def order(self) -> int:
        """The order, n: it looks at n-1 tokens."""
        return self.counts.order

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.counts.vocab_size

    def log_prob(self, ids: Ids) -> np.ndarray:
        """The log-probability of each token of a text but the first, given those before it.

        Args:
            ids: ``(T,)`` whole numbers in 0 … V-1, T ≥ 2.

        Returns:
            ``(T - 1,)`` float64, in nats, all finite and ≤ 0.

        Raises:
            ValueError: if there are fewer than two tokens, or an id is not below V.
        """
        tokens = check_row(ids, self.vocab_size)
        if len(tokens) < 2:
            raise ValueError(f"a text of {counted(len(tokens), 'token')} leaves none to predict; give at least 2")
        p = np.full(len(tokens), 1 / self.vocab_size)
        for k, (order, (contexts, grams)) in enumerate(zip(self.orders, self.counts.walk(tokens), strict=True)):
            # the first k tokens have fewer than k before them, and keep the shorter context's probability
            p[k:] = self.smoothing.probability(order, order.c[grams], contexts, p)[k:]
        return np.log(p[1:])

    def perplexity(self, ids: Ids) -> float:
        """The exponential of the mean of ``-log_prob(ids)``, in tokens; 1 is certainty, V a uniform guess."""
        return float(np.exp(-self.log_prob(ids).mean()))

    def probabilities(self, context: Ids = ()) -> np.ndarray:
        """The distribution of the next token.

        Args:
            context: ``(S,)`` the tokens before it, of which the last n-1 matter; fewer will do, and so will none.

        Returns:
            ``(V,)`` float64, positive, summing to 1.

        Raises:
            ValueError: if an id is not below V.
        """
        tokens = check_row(context, self.vocab_size)
        suffixes = [0, *(int(grams[-1]) for _, grams in islice(self.counts.walk(tokens), len(tokens)))]
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for k, (order, number) in enumerate(zip(self.orders, suffixes, strict=False), start=1):
            followers, grams = self.counts.followers(k, number)
            c = np.zeros(self.vocab_size)
            c[followers] = order.c[grams]
            p = self.smoothing.probability(order, c, number, p)
        return p

    def sample(self, n_tokens: int, generator: torch.Generator, context: Ids = ()) -> list[int]:
        """Draw a text, token by token.

        Args:
            n_tokens: how many to add.
            generator: on the CPU; decides the draws.
            context: ``(S,)`` the tokens before the first one.

        Returns:
            The ``n_tokens`` new ids.

        Raises:
            ValueError: if ``n_tokens`` is negative, or an id of the context is not below V.
        """
        if n_tokens < 0:
            raise ValueError(f"n_tokens={n_tokens} must not be negative")
        text = check_row(context, self.vocab_size).tolist()
        n_given = len(text)
        for _ in range(n_tokens):
            p = torch.from_numpy(self.probabilities(text[max(0, len(text) - self.order + 1) :]))
            text.append(int(torch.multinomial(p, 1, generator=generator)))
        return text[n_given:]
