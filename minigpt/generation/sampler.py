"""The sampler: from the logits of one position to the next token.

    logits ──> repetition penalty ──> logit bias ──> temperature ──> top-k ──> top-p ──> min-p ──> one draw

Up to the temperature, rules take logits and return logits; after it, they take probabilities and return probabilities.
A new rule needs a pure function in ``generation/logits.py`` or ``generation/sampling.py``, a field of :class:`Sampler`,
a line in :meth:`Sampler.logits` or :meth:`Sampler.rules` at its place in the order, and a keyword of
:func:`~minigpt.generation.text.generate` and :func:`~minigpt.generation.text.stream`.

Dimensions: B batch, T tokens so far, V vocabulary; leading axes of probabilities are arbitrary.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from minigpt.generation.logits import (
    add_bias,
    at_least_float32,
    bias_of,
    repetition_penalty,
    seen_tokens,
)
from minigpt.generation.matching.pattern import text_pattern
from minigpt.generation.ranges import check_min_p, check_penalty, check_temperature, check_top_k, check_top_p
from minigpt.generation.sampling import (
    largest_logits,
    min_p_filter,
    temperature_probabilities,
    top_k_filter,
    top_p_filter,
)
from minigpt.settings import check_types

SamplingRule = Callable[[Tensor], Tensor]  # (..., V) probabilities -> (..., V) probabilities


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How the next token is chosen: penalty and bias, temperature, then top-k, top-p and min-p, then one draw.

    Attributes:
        temperature: divisor of the logits: below 1 for safer text, above 1 for bolder text (0 = greedy).
        top_k: number of most probable tokens to draw from; by default all.
        top_p: probability of the smallest set of tokens to draw from; by default all tokens.
        min_p: least share of the largest probability that a token must have; by default none.
        repetition_penalty: divisor of the positive logits of tokens that the text has, factor of the negative
            ones (1 = none).
        logit_bias: nats added to the logits of tokens, by id: -inf forbids a token.
        match: regular expression that the whole text after the prompt must match, such as "yes|no"; in Python, also a
            list of texts. It is held where text is written; the probabilities leave it out.

    Raises:
        ValueError: if a setting has another type or is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] | None = None
    match: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_temperature(self.temperature)
        if self.top_k is not None:
            check_top_k(self.top_k)
        if self.top_p is not None:
            check_top_p(self.top_p)
        if self.min_p is not None:
            check_min_p(self.min_p)
        check_penalty(self.repetition_penalty)
        if self.match is not None:
            text_pattern(self.match)

    def check(self, vocab_size: int) -> None:
        """Check the settings against a vocabulary before the first token is drawn.

        Args:
            vocab_size: V, tokens.

        Raises:
            ValueError: if ``top_k`` is above V, or ``logit_bias`` has other tokens or forbids all.
        """
        if self.top_k is not None:
            check_top_k(self.top_k, vocab_size)
        if self.logit_bias is not None:
            bias_of(self.logit_bias, vocab_size)

    def logits(self, logits: Tensor, ids: Tensor | None = None) -> Tensor:
        """The logits that the temperature divides: after the repetition penalty and the bias.

        Args:
            logits: ``(B, V)`` floating point.
            ids: ``(B, T)`` int64, the tokens so far; needed by a repetition penalty only.

        Returns:
            ``(B, V)``, at least float32.

        Raises:
            ValueError: if there is a repetition penalty and no ``ids``.
        """
        logits = at_least_float32(logits)
        if self.repetition_penalty != 1:
            if ids is None:
                raise ValueError("a repetition penalty needs the tokens so far; give ids of shape (B, T)")
            seen = seen_tokens(ids.to(logits.device), logits.shape[-1])
            logits = repetition_penalty(logits, seen, self.repetition_penalty)
        if self.logit_bias is not None:
            logits = add_bias(logits, bias_of(self.logit_bias, logits.shape[-1]))
        return logits

    def rules(self) -> Iterator[SamplingRule]:
        """The rules that follow the temperature, in the order in which they are applied."""
        if self.top_k is not None:
            yield partial(top_k_filter, top_k=self.top_k)
        if self.top_p is not None:
            yield partial(top_p_filter, top_p=self.top_p)
        if self.min_p is not None:
            yield partial(min_p_filter, min_p=self.min_p)

    def probabilities(self, logits: Tensor, ids: Tensor | None = None) -> Tensor:
        """The distribution that the next token is drawn from.

        Args:
            logits: ``(..., V)`` floating point; an entry may be ``-inf`` (probability 0).
            ids: ``(B, T)`` int64, the tokens so far; needed by a repetition penalty only.

        Returns:
            ``(..., V)``, at least float32; each row sums to 1.

        Raises:
            ValueError: if ``top_k`` is above V, or a row of logits has no finite maximum.
        """
        probabilities = temperature_probabilities(self.logits(logits, ids), self.temperature)
        for rule in self.rules():
            probabilities = rule(probabilities)
        return probabilities

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor | None = None) -> Tensor:
        """Draw one token for each row from :meth:`probabilities`; at temperature 0, take the one that has all of it.

        Args:
            logits: ``(B, V)`` floating point.
            generator: the source of randomness, on any device; the draw happens there.
            ids: ``(B, T)`` int64, the tokens so far; needed by a repetition penalty only.

        Returns:
            ``(B,)`` int64 token ids on the device of ``logits``.

        Raises:
            ValueError: as :meth:`probabilities`.
        """
        if self.temperature == 0:  # no draw: every rule keeps the most probable token
            if self.top_k is not None:
                check_top_k(self.top_k, logits.shape[-1])
            return largest_logits(self.logits(logits, ids))[1].squeeze(-1)
        probabilities = self.probabilities(logits, ids)
        drawn = torch.multinomial(probabilities.to(generator.device), num_samples=1, generator=generator)
        return drawn.squeeze(-1).to(logits.device)


#: The sampler that always takes the most probable token, the lowest id among equals.
GREEDY = Sampler(temperature=0)
