"""The sampler: from the logits of one position to the next token.

    logits ──> temperature ──> top-k ──> top-p ──> one draw

A rule takes probabilities and returns probabilities; a sampler applies its rules one after another. A new rule needs
a pure function in ``generation/sampling.py``, a field of :class:`Sampler`, a line in :meth:`Sampler.rules` at its place
in the order, and a keyword of :func:`~minigpt.generation.text.generate` and :func:`~minigpt.generation.text.stream`.

Dimensions: B batch, V vocabulary; leading axes of probabilities are arbitrary.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from minigpt.generation.sampling import (
    check_temperature,
    check_top_k,
    check_top_p,
    temperature_probabilities,
    top_k_filter,
    top_p_filter,
)
from minigpt.settings import check_types

SamplingRule = Callable[[Tensor], Tensor]  # (..., V) probabilities -> (..., V) probabilities


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How the next token is chosen: by temperature, then top-k, then top-p, then one draw.

    Attributes:
        temperature: divisor of the logits: below 1 for safer text, above 1 for bolder text (0 = greedy).
        top_k: number of most probable tokens to draw from; by default all.
        top_p: probability of the smallest set of tokens to draw from; by default all tokens.

    Raises:
        ValueError: if a setting has another type or is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_temperature(self.temperature)
        if self.top_k is not None:
            check_top_k(self.top_k)
        if self.top_p is not None:
            check_top_p(self.top_p)

    def check(self, vocab_size: int) -> None:
        """Check the settings against a vocabulary before the first token is drawn.

        Args:
            vocab_size: V, tokens.

        Raises:
            ValueError: if ``top_k`` is above V.
        """
        if self.top_k is not None:
            check_top_k(self.top_k, vocab_size)

    def rules(self) -> Iterator[SamplingRule]:
        """The rules that follow the temperature, in the order in which they are applied."""
        if self.top_k is not None:
            yield partial(top_k_filter, top_k=self.top_k)
        if self.top_p is not None:
            yield partial(top_p_filter, top_p=self.top_p)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution that the next token is drawn from.

        Args:
            logits: ``(..., V)`` floating point; an entry may be ``-inf`` (probability 0).

        Returns:
            ``(..., V)``, at least float32; each row sums to 1.

        Raises:
            ValueError: if ``top_k`` is above V, or a row of logits has no finite maximum.
        """
        probabilities = temperature_probabilities(logits, self.temperature)
        for rule in self.rules():
            probabilities = rule(probabilities)
        return probabilities

    def __call__(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one token for each row from :meth:`probabilities`.

        Args:
            logits: ``(B, V)`` floating point.
            generator: the source of randomness, on any device; the draw happens there.

        Returns:
            ``(B,)`` int64 token ids on the device of ``logits``.

        Raises:
            ValueError: as :meth:`probabilities`.
        """
        probabilities = self.probabilities(logits)
        drawn = torch.multinomial(probabilities.to(generator.device), num_samples=1, generator=generator)
        return drawn.squeeze(-1).to(logits.device)


#: The sampler that always takes the most probable token, the lowest id among equals.
GREEDY = Sampler(temperature=0)
