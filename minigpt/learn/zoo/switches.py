"""The bugs themselves: each changes one part of a run that the real training step then works with."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.learn.zoo.bug import Specimen
from minigpt.model import Pattern
from minigpt.model.block import CausalSelfAttention
from minigpt.text import Dataset, TokenDataset


class ChangedTargets:
    """A dataset whose targets are the inputs themselves.

    Args:
        data: the dataset as it should be.
    """

    def __init__(self, data: Dataset) -> None:
        self.data = data

    context_length = property(lambda self: self.data.context_length)
    vocab_size = property(lambda self: self.data.vocab_size)
    fingerprint = property(lambda self: self.data.fingerprint)
    floor = property(lambda self: self.data.floor)

    def batch(
        self, step: int, batch_size: int, *, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The inputs twice."""
        inputs, _ = self.data.batch(step, batch_size, seed=seed, rank=rank, world_size=world_size)
        return inputs, inputs

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The inputs twice."""
        return ((inputs, inputs) for inputs, _ in self.data.windows(batch_size))


def unshifted_targets(specimen: Specimen) -> None:
    """The target of each position is the token at this position, not the next one."""
    specimen.run.data = ChangedTargets(specimen.run.data)
    specimen.validation = ChangedTargets(specimen.validation)


def leaked_mask(specimen: Specimen) -> None:
    """The causal mask is one diagonal too wide: each position attends to the next token, too."""
    for module in specimen.model.modules():
        if isinstance(module, CausalSelfAttention):
            module.attend = attention_one_ahead


def attention_one_ahead(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """Attention in which position t sees the positions up to t + 1; the arguments are those of the model's."""
    mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril(diagonal=1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=pattern.dropout)


def nothing(specimen: Specimen) -> None:
    """The bug is in the settings alone."""


@torch.no_grad()
def dead_initialisation(specimen: Specimen) -> None:
    """All matrices and embeddings start at 0."""
    for parameter in specimen.model.parameters():
        if parameter.dim() > 1:
            parameter.zero_()


def double_softmax(specimen: Specimen) -> None:
    """The model returns probabilities, and the loss takes their softmax once more."""
    specimen.model.head.register_forward_hook(lambda head, inputs, logits: logits.softmax(-1))


def dropout_in_evaluation(specimen: Specimen) -> None:
    """``model.eval()`` does nothing."""
    model = specimen.model
    vars(model)["train"] = lambda mode=True: nn.Module.train(model)


def stale_gradients(specimen: Specimen) -> None:
    """``optimizer.zero_grad()`` does nothing."""
    vars(specimen.run.optimizer)["zero_grad"] = lambda set_to_none=True: None


def decay_everything(specimen: Specimen) -> None:
    """Weight decay acts on biases and on the gains of norms, too."""
    strongest = max(group["weight_decay"] for group in specimen.run.optimizer.param_groups)
    for group in specimen.run.optimizer.param_groups:
        group["weight_decay"] = strongest


def validation_in_training(specimen: Specimen) -> None:
    """The training text contains the validation text."""
    data, validation = specimen.run.data, specimen.validation
    assert isinstance(data, TokenDataset)
    assert isinstance(validation, TokenDataset)
    tokens = np.concatenate([shard.tokens for split in (data, validation) for shard in split.shards])
    specimen.run.data = TokenDataset(tokens, data.context_length, vocab_size=data.vocab_size)


def no_loss_scale(specimen: Specimen) -> None:
    """The loss is not scaled in float16."""
    specimen.run.precision.scale = 1.0
