"""Drafts of speculative sampling: what proposes the next tokens, cheaply, for the model to accept or replace.

Dimensions: K proposed tokens, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.generation.decoder import Decoder, config_of
from minigpt.generation.sampler import Sampler
from minigpt.model import GPT
from minigpt.settings import whole_number


class DraftModel:
    """A smaller model as a draft; it draws by the same rules as the model.

    Args:
        model: with the vocabulary of the model that it drafts for.
    """

    def __init__(self, model: GPT) -> None:
        self.decoder = Decoder(model)

    def check(self, vocab_size: int) -> None:
        """Check that the draft has the vocabulary of the model.

        Raises:
            ValueError: if it has another one.
        """
        if (own := config_of(self.decoder).vocab_size) != vocab_size:
            raise ValueError(f"the draft has a vocabulary of {own} tokens, the model {vocab_size}; both need the same")

    def propose(self, ids: Tensor, n: int, sampler: Sampler, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As :meth:`~minigpt.generation.speculation.draft.Draft.propose`: exactly ``n`` tokens."""
        drawn, rows = ids, []
        for _ in range(n):
            q = sampler.probabilities(self.decoder(drawn), drawn).to(generator.device)
            rows.append(q)
            drawn = torch.cat([drawn, torch.multinomial(q, 1, generator=generator).to(ids.device)], dim=1)
        return drawn[0, ids.shape[1] :], torch.cat(rows)


class PromptLookup:
    """Proposes what followed the last tokens when they came before: for texts that repeat their prompt.

    Source: Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding.

    Args:
        longest: tokens that are looked up at first; then fewer.
        shortest: tokens that are looked up at last.

    Raises:
        ValueError: if 1 ≤ ``shortest`` ≤ ``longest`` does not hold.
    """

    def __init__(self, longest: int = 3, shortest: int = 2) -> None:
        for name, size in (("longest", longest), ("shortest", shortest)):
            whole_number(name, size, 0, 2**31)
        if not 1 <= shortest <= longest:
            raise ValueError(f"got shortest={shortest}, longest={longest}; expected 1 ≤ shortest ≤ longest")
        self.sizes: Sequence[int] = range(longest, shortest - 1, -1)

    def check(self, vocab_size: int) -> None:
        """Any vocabulary will do."""

    def propose(self, ids: Tensor, n: int, sampler: Sampler, generator: torch.Generator) -> tuple[Tensor, None]:
        """As :meth:`~minigpt.generation.speculation.draft.Draft.propose`; no tokens where the last ones are new.

        Of several places the last one counts. Where fewer than ``n`` tokens follow it, they are repeated.
        """
        row = ids[0]
        for size in self.sizes:
            if len(row) <= size:
                continue
            starts = size + (row.unfold(0, size, 1)[:-1] == row[-size:]).all(dim=1).nonzero().squeeze(1)
            if len(starts):
                found = row[starts[-1] :]
                return found.repeat(-(-n // len(found)))[:n], None
        return row[:0], None
