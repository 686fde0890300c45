r"""The loss over a whole split: every token but the first is predicted once, so the figure has no sampling noise.

$$\bar L = \frac{1}{n} \sum_{i=1}^{n} -\log p(x_{i+1} \mid x_{i-c+1}, …, x_i)$$

where the context c grows from 1 to the model's context length inside each window.

Dimensions: n predicted tokens.
"""

from typing import NamedTuple

import torch
from torch import nn

from minigpt.model import next_token_loss
from minigpt.text import TokenDataset


class SplitLoss(NamedTuple):
    """The summed loss of a split in nats, and how many tokens were predicted."""

    nats: float
    n_tokens: int

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.nats / self.n_tokens


@torch.no_grad()
def split_loss(model: nn.Module, dataset: TokenDataset, batch_size: int = 32) -> SplitLoss:
    """The loss of ``model`` on every token of ``dataset``, in windows of its context length.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; evaluated without dropout, its mode is put back after.
        dataset: the split.
        batch_size: windows at once; changes the speed and nothing else.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    nats, n_tokens = 0.0, 0
    for inputs, targets in dataset.windows(batch_size):
        loss = next_token_loss(model(inputs.to(device)), targets.to(device), reduction="sum")
        nats += loss.item()
        n_tokens += int((targets != -100).sum())
    model.train(was_training)
    return SplitLoss(nats, n_tokens)
