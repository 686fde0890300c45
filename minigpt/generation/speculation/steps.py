"""Speculative sampling: a draft proposes several tokens, the model reads them in one pass and keeps what it would draw.

One pass of the model over several tokens costs little more than one over a single token where reading the weights is
what takes time. What is drawn has the model's own distribution, whatever the draft proposes
(:mod:`minigpt.generation.speculation.rule`); greedy tokens are the same but for rounding.

Few tokens are proposed at first, and more while all are accepted. Where few are, the draft pauses by itself, longer
each time.

Dimensions: T tokens so far, K proposed tokens, V vocabulary.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.generation.decoder import Decoder
from minigpt.generation.sampler import Sampler
from minigpt.generation.speculation.draft import Draft
from minigpt.generation.speculation.rule import acceptance, residual_probabilities

# tokens at once: on CPUs, a pass over 4 tokens costs about 1.5 times one over 1, a pass over 8 about 1.8 times
FEW_PROPOSED, MOST_PROPOSED = 3, 7
LEAST_GAIN = 1.7  # tokens of a pass with proposals
TRIES, RETRIES = 4, 1  # passes after which the draft is judged, at first and after a pause
FIRST_PAUSE, LONGEST_PAUSE = 16, 256  # tokens


def speculative_steps(
    decoder: Decoder, draft: Draft, ids: Tensor, sampler: Sampler, n_steps: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """The new tokens after one row, ``(1,)`` each.

    Args:
        decoder: of the model.
        draft: proposes tokens.
        ids: ``(1, T)`` int64 on the device of the model.
        sampler: of both.
        n_steps: the most tokens.
        generator: the source of randomness.
    """
    draft.check(decoder.config.vocab_size)
    pauses, limit = Pauses(), decoder.config.context_length
    while n_steps > 0:
        n = min(pauses.n_proposed, n_steps - 1, limit - ids.shape[1])
        if n < 1 or pauses.next():
            new = sampler(decoder(ids), generator, ids)
        else:
            proposed, q = draft.propose(ids, n, sampler, generator)
            new = _verified(decoder, ids, (proposed, q), sampler, generator)
            pauses.judge(len(proposed), len(new))
        yield from new.split(1)
        ids = torch.cat([ids, new.unsqueeze(0)], dim=1)
        n_steps -= len(new)


def _verified(
    decoder: Decoder, ids: Tensor, proposal: tuple[Tensor, Tensor | None], sampler: Sampler, generator: torch.Generator
) -> Tensor:
    """``(n,)``: the proposed tokens up to the first that is rejected, and one more token of the model."""
    proposed, q = proposal
    row = torch.cat([ids, proposed.unsqueeze(0)], dim=1)
    logits = decoder.after_last(row, len(proposed) + 1)[0]
    if sampler.temperature == 0:
        return _agreed(logits, row, sampler, generator)
    kept = ids.shape[1]
    for i, token in enumerate(proposed.tolist()):
        p = sampler.probabilities(logits[i : i + 1], row[:, :kept])[0].to(generator.device)
        q_i = F.one_hot(proposed[i], len(p)).to(p) if q is None else q[i].to(p)
        if float(torch.rand((), generator=generator, device=generator.device)) >= float(acceptance(p, q_i)[token]):
            return _with_one_more(row[0, ids.shape[1] : kept], residual_probabilities(p, q_i), generator)
        kept += 1
    p = sampler.probabilities(logits[-1:], row)[0].to(generator.device)
    return _with_one_more(proposed, p, generator)


def _agreed(logits: Tensor, row: Tensor, sampler: Sampler, generator: torch.Generator) -> Tensor:
    """The same for greedy tokens: what is proposed counts as long as the model takes the same token."""
    first = row.shape[1] - len(logits) + 1
    for i, kept in enumerate(range(first, row.shape[1] + 1)):
        taken = sampler(logits[i : i + 1], generator, row[:, :kept])
        if kept == row.shape[1] or int(taken) != int(row[0, kept]):
            return torch.cat([row[0, first:kept], taken])
    raise AssertionError("the last token is always taken")


def _with_one_more(tokens: Tensor, p: Tensor, generator: torch.Generator) -> Tensor:
    return torch.cat([tokens, torch.multinomial(p, 1, generator=generator).to(tokens.device)])


class Pauses:
    """Stops a draft whose proposals are not accepted, for a while.

    Attributes:
        n_proposed: the most tokens that the draft proposes next.
    """

    def __init__(self) -> None:
        self.n_proposed = FEW_PROPOSED
        self.left, self.length, self.tries = 0, FIRST_PAUSE, TRIES
        self.gains: list[int] = []

    def next(self) -> bool:
        """Whether the next token is drawn without the draft."""
        self.left -= self.left > 0
        return self.left > 0

    def judge(self, n_proposed: int, n_new: int) -> None:
        """Take note of a pass.

        Args:
            n_proposed: tokens that the draft proposed; a pass without any costs nothing.
            n_new: tokens that came of it.
        """
        if n_proposed == 0:
            return
        self.n_proposed = min(2 * self.n_proposed + 1, MOST_PROPOSED) if n_new > n_proposed else FEW_PROPOSED
        self.gains = [*self.gains, n_new][-self.tries :]
        if len(self.gains) < self.tries:
            return
        if sum(self.gains) >= LEAST_GAIN * self.tries:
            self.length, self.tries = FIRST_PAUSE, TRIES
            return
        self.left, self.gains, self.tries = self.length, [], RETRIES
        self.length = min(2 * self.length, LONGEST_PAUSE)
