"""What a draft of speculative sampling is; :mod:`minigpt.generation.speculation.drafts` has two kinds.

Dimensions: T tokens so far, K proposed tokens, V vocabulary.
"""

from typing import Protocol

import torch
from torch import Tensor

from minigpt.generation.sampler import Sampler


class Draft(Protocol):
    """Proposes tokens."""

    def check(self, vocab_size: int) -> None:
        """Raise ValueError if it proposes tokens of another vocabulary."""

    def propose(
        self, ids: Tensor, n: int, sampler: Sampler, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Up to ``n`` tokens after ``ids`` ``(1, T)``: ``(K,)`` int64, and ``(K, V)``, what each was drawn from.

        ``None`` in its place says that nothing was drawn: each distribution has all its mass on its token.
        """
