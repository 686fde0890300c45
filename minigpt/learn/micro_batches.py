"""The gradient of a large batch from the gradients of its parts.

Dimensions: K micro-batches; the gradients may have any shape.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.equations import equation


@equation(
    "accumulated-gradient",
    r"\bar{g} = \frac{\sum_{k=1}^{K} n_k g_k}{\sum_{k=1}^{K} n_k}",
    symbols={
        "g": "(K, M) gradient of the mean loss of each micro-batch",
        "n": "(K) tokens in each",
        r"\bar{g}": "(M) gradient of the mean loss over all tokens",
    },
    source="the linearity of the derivative, on a sum of losses",
)
def combined_gradient(gradients: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
    """The mean of the gradients, each weighted by its number of tokens.

    Args:
        gradients: K of them, ``(...)`` each: of the mean loss of a micro-batch.
        counts: tokens in each.

    Returns:
        ``(...)``.
    """
    weights = torch.tensor(counts, dtype=gradients[0].dtype)
    return torch.tensordot(weights, torch.stack(tuple(gradients)), dims=1) / weights.sum()
