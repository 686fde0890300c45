"""The loss over a whole split: every token but the first is predicted once, so the figure has no sampling noise.

A split of at most one window has the probability that the chain rule gives it, each token predicted from all before it.
A longer one is cut into windows, and what a token is predicted from begins with its window.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minigpt.equations import equation
from minigpt.model.hooks import evaluation_mode
from minigpt.text import Dataset
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.training.losses import as_loss
from minigpt.training.processes.distributed import ALONE, World


class SplitLoss(NamedTuple):
    """The loss of a split.

    Attributes:
        nats: summed over its tokens.
        n_tokens: how many were predicted.
    """

    nats: float
    n_tokens: int

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.nats / self.n_tokens


@equation(
    "chain-rule",
    r"L = -\log\left(\prod_{t=2}^{n} p(x_t \mid x_{<t})\right)",
    symbols={
        "x": "(n) token ids, within one window",
        "p": "function probability of a token after those before it",
        "L": "() summed loss in nats",
    },
    source="Bengio, Ducharme, Vincent & Jauvin 2003, JMLR 3",
)
@torch.no_grad()
def split_loss(model: nn.Module, dataset: Dataset, batch_size: int = 32, *, world: World = ALONE) -> SplitLoss:
    """The loss of ``model`` on every token of ``dataset``, in windows of its context length.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``, or a :class:`~minigpt.training.LossModule`; evaluated
            without dropout or label smoothing, its mode is put back after.
        dataset: the split.
        batch_size: windows at once; changes the speed and nothing else.
        world: the processes that share the work; each gets the loss of the whole split.

    Raises:
        ValueError: in every process, if no target of the split counts.
    """
    summed_loss = as_loss(model)
    device = next(model.parameters()).device
    nats, n_tokens = 0.0, 0
    with evaluation_mode(summed_loss):
        for inputs, targets in _share(dataset.windows(batch_size), world):
            nats += summed_loss(inputs.to(device), targets.to(device)).item()
            n_tokens += int((targets != IGNORED_TARGET).sum())
    total_nats, total_tokens = world.sum(nats, n_tokens)
    if not total_tokens:
        raise ValueError(
            f"no target of the split counts: all are {IGNORED_TARGET}, so it has no loss. Leave out the rows that "
            "have no target, or give a context that reaches theirs"
        )
    return SplitLoss(total_nats, int(total_tokens))


def _share(batches: Iterator[tuple[Tensor, Tensor]], world: World) -> Iterator[tuple[Tensor, Tensor]]:
    """Every ``world.size``-th batch; as many for each process, since all must call a sharded model equally often."""
    while together := list(islice(batches, world.size)):
        inputs, targets = together[min(world.rank, len(together) - 1)]
        has_one = world.rank < len(together)
        yield inputs, targets if has_one else torch.full_like(targets, IGNORED_TARGET)
