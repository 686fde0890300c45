"""How far a copy of a model is from the model: logits, probabilities and perplexity on the same text.

Whole texts say little: one other word, and all that follows is another text. So both read the same tokens.

Dimensions: n predicted tokens, V vocabulary.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from minigpt.model import log_softmax
from minigpt.model.hooks import evaluation_mode
from minigpt.text import Dataset
from minigpt.text.datasets.windows import IGNORED_TARGET


@dataclass(frozen=True)
class CopyError:
    """What a copy of a model changes.

    Attributes:
        n_tokens: n, predicted tokens.
        logit_difference: the largest of any logit.
        kl: KL divergence of the copy's probabilities from the model's, the mean over the tokens, in nats.
        top_1: the share of tokens at which both hold the same token likeliest.
        perplexity: of the model.
        perplexity_of_copy: of the copy.
    """

    n_tokens: int
    logit_difference: float
    kl: float
    top_1: float
    perplexity: float
    perplexity_of_copy: float

    def __str__(self) -> str:
        return (
            f"logits within {self.logit_difference:.1e} · KL {self.kl:.1e} nats · the same likeliest token at "
            f"{self.top_1:.1%} · perplexity {self.perplexity:.3f} → {self.perplexity_of_copy:.3f} "
            f"({self.n_tokens:,} tokens)"
        )


@torch.no_grad()
def copy_error(model: nn.Module, copy: nn.Module, data: Dataset, batch_size: int = 8) -> CopyError:
    """Compare a copy with its model on every token of a text but the first.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        copy: the same, as :func:`minigpt.generation.for_generation` makes it.
        data: the text, as ids.
        batch_size: windows at once; changes the speed and nothing else.

    Raises:
        ValueError: if no token is predicted.
    """
    sums, largest, n_tokens = torch.zeros(4, dtype=torch.float64), 0.0, 0
    with evaluation_mode(model), evaluation_mode(copy):
        for inputs, targets in data.windows(batch_size):
            counted = targets != IGNORED_TARGET
            both = [each(inputs)[counted].double() for each in (model, copy)]
            largest = max(largest, float((both[1] - both[0]).abs().max()))
            log_p, log_q = map(log_softmax, both)
            of_targets = [-log.gather(1, targets[counted][:, None]).sum() for log in (log_p, log_q)]
            kl, same = (log_p.exp() * (log_p - log_q)).sum(), (log_p.argmax(1) == log_q.argmax(1)).sum()
            sums += torch.stack([kl, same.double(), *of_targets])
            n_tokens += int(counted.sum())
    if not n_tokens:
        raise ValueError("the text has no token to predict; give more text")
    kl, same, nats, nats_of_copy = (sums / n_tokens).tolist()
    return CopyError(n_tokens, largest, kl, same, math.exp(nats), math.exp(nats_of_copy))
