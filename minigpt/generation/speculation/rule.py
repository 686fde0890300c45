r"""Speculative sampling: a draft proposes tokens, the model accepts or replaces them, and the distribution stays.

A draft distribution $q$ proposes a token; the model, whose distribution is $p$, accepts it with probability $a$ and
otherwise draws from what $p$ has more than $q$. The token that results has the distribution $p$ exactly, whatever $q$
is; a good draft is only accepted more often.

Dimensions: V vocabulary; leading axes are arbitrary.
"""

import torch
from torch import Tensor

from minigpt.equations import equation

_SOURCE = "Leviathan, Kalman & Matias 2022, arXiv:2211.17192, section 2.3"
_BOTH = {"p": "(V) probabilities of the model", "q": "(V) probabilities of the draft"}


@equation(
    "speculative-acceptance",
    r"a_i = \min\left(1, \frac{p_i}{q_i}\right)",
    symbols=_BOTH | {"a": "(V) probability that the proposed token i is accepted"},
    source=_SOURCE,
)
def acceptance(p: Tensor, q: Tensor) -> Tensor:
    """How likely each proposed token is accepted.

    Args:
        p: ``(..., V)`` probabilities of the model.
        q: ``(..., V)`` probabilities of the draft.

    Returns:
        ``(..., V)``; 1 for tokens that the draft never proposes.
    """
    return torch.where(q > 0, p / q, torch.ones_like(p)).clamp(max=1)


@equation(
    "speculative-residual",
    r"r_i = \frac{\max(p_i - q_i, 0)}{\sum_{j=1}^{V} \max(p_j - q_j, 0)}",
    symbols=_BOTH | {"r": "(V) distribution of the token that replaces a rejected one"},
    source=_SOURCE,
)
def residual_probabilities(p: Tensor, q: Tensor) -> Tensor:
    """What the model has more than the draft: where a rejected token's replacement is drawn from.

    Args:
        p: ``(..., V)`` probabilities of the model.
        q: ``(..., V)`` probabilities of the draft.

    Returns:
        ``(..., V)``; rows that sum to 1. Where both are equal, and no token is ever rejected, it is ``p``.
    """
    more = (p - q).clamp(min=0)
    mass = more.sum(dim=-1, keepdim=True)
    return torch.where(mass > 0, more / mass, p)
