"""The gradient of the loss on one batch, summed over its micro-batches.

Dimensions: B sequences of the batch, T positions, V vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from minigpt.model import GPT, next_token_loss
from minigpt.text.dataset import IGNORED_TARGET


def accumulate_gradients(model: GPT, inputs: Tensor, targets: Tensor, micro_batch: int) -> float:
    """Add the gradient of the batch's mean loss to ``.grad``, a micro-batch at a time.

    The mean is over the predicted tokens of the whole batch, so the cut into micro-batches changes only the rounding.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        inputs: ``(B, T)`` int64, on any device.
        targets: ``(B, T)`` int64; -100 where nothing is to be predicted.
        micro_batch: sequences at once through the model.

    Returns:
        The loss in nats per token.
    """
    device = next(model.parameters()).device
    n_tokens = count_targets(targets).to(device)
    total = torch.zeros((), device=device)
    for some_inputs, some_targets in zip(inputs.split(micro_batch), targets.split(micro_batch), strict=True):
        loss = next_token_loss(model(some_inputs.to(device)), some_targets.to(device), reduction="sum") / n_tokens
        loss.backward()
        total += loss.detach()
    return total.item()


def count_targets(targets: Tensor) -> Tensor:
    """``()``: the predicted tokens of the whole batch, which its summed loss is divided by; at least 1."""
    return (targets != IGNORED_TARGET).sum().clamp(min=1)


@contextmanager
def keyed_dropout(model: GPT, seed: int, step: int) -> Iterator[None]:
    """Make dropout a function of (seed, step), and leave PyTorch's global generator as it was."""
    if model.config.dropout == 0:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]))
        yield
