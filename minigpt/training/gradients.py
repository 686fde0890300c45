"""The gradient of the loss on one batch, summed over its micro-batches.

Dimensions: B sequences of the batch, T positions, V vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from minigpt.model import GPT
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.training.execution.precision import Precision
from minigpt.training.losses import as_loss
from minigpt.training.processes.distributed import ALONE, World
from minigpt.training.processes.generators import seeded_generators
from minigpt.training.processes.strategies import gradient_sync
from minigpt.training.run_state import RunState

NO_GRADIENT = (
    "no gradient reaches the model's parameters: its logits are detached, or computed under torch.no_grad() or without "
    "the parameters that have requires_grad; return logits that depend on these, and train outside torch.no_grad()"
)


NO_TARGET = (
    f"no target of the batch counts: all are {IGNORED_TARGET}, so there is nothing to learn from. Leave out the rows "
    "that have no target, or give a context that reaches theirs"
)


class NoTargetError(ValueError):
    """A batch from which nothing can be learnt."""


def batch_gradient(run: RunState, step: int) -> tuple[float, int]:
    """Add the gradient of the loss on the batch of ``step`` to ``.grad``, multiplied by the run's loss scale.

    Returns:
        What this process's rows add to the loss of the batch, in nats per token, and how many positions they have.

    Raises:
        ValueError: as :func:`accumulate_gradients`; without a target it names the step.
    """
    config, world = run.config, run.world
    micro_batch = world.micro_batch(config.batch_size, config.micro_batch_size)
    inputs, targets = run.data.batch(step, config.batch_size, seed=config.seed, rank=world.rank, world_size=world.size)
    try:
        with keyed_dropout(run.model, config.seed, step, world.rank):
            loss = accumulate_gradients(run.wrapper, inputs, targets, micro_batch, run.precision, world)
    except NoTargetError as error:
        raise NoTargetError(f"step {step}: {error}") from None
    return loss, inputs.numel()


def accumulate_gradients(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    micro_batch: int,
    precision: Precision | None = None,
    world: World = ALONE,
) -> float:
    """Add the gradient of the batch's mean loss to ``.grad``, a micro-batch at a time.

    The mean is over the predicted tokens of the whole batch, those of other processes included, so the cut into
    processes and micro-batches changes only the rounding.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; or a :class:`~minigpt.training.LossModule`, wrapped for
            several processes or not.
        inputs: ``(B, T)`` int64, on any device; the rows of this process.
        targets: ``(B, T)`` int64; -100 where nothing is to be predicted.
        micro_batch: sequences at once through the model.
        precision: how it computes; ``None`` means float32. The gradient is left multiplied by its scale.
        world: the processes that share the batch.

    Returns:
        What these rows add to the loss of the batch, in nats per token.

    Raises:
        ValueError: if the loss does not depend on the parameters.
        NoTargetError: in every process, if no target of the whole batch counts.
    """
    device, summed_loss = next(model.parameters()).device, as_loss(model)
    precision = Precision("fp32", device) if precision is None else precision
    n_tokens = count_targets(targets, world)
    total = torch.zeros((), device=device)
    for start in range(0, len(inputs), micro_batch):
        rows = slice(start, start + micro_batch)
        with gradient_sync(model, start + micro_batch >= len(inputs)):
            at = asked_positions(targets[rows])
            expected = (targets[rows] if at is None else targets[rows][at]).to(device)
            with precision.autocast():
                here = None if at is None else at.to(device)
                loss = summed_loss(inputs[rows].to(device), expected, here) / n_tokens
            if not loss.requires_grad:
                raise ValueError(NO_GRADIENT)
            precision.backward(loss * world.size)  # DDP and FSDP take the mean over the processes
        total += loss.detach()
    return total.item()


def asked_positions(targets: Tensor) -> Tensor | None:
    """The positions whose logits are worth having: those that count; ``None``, all of them, where most count.

    A few others fill them up to a multiple of 64: for each shape that is new, PyTorch prepares the products anew.

    Args:
        targets: ``(B, T)`` int64; -100 where nothing is to be predicted.

    Returns:
        ``(B, T)`` boolean, or ``None``.
    """
    asked = (targets != IGNORED_TARGET).flatten()
    n_asked = int(asked.sum())
    if 2 * n_asked > len(asked):
        return None
    others = (~asked).nonzero()[: -n_asked % 64, 0]
    return asked.index_fill(0, others, True).view_as(targets)


def count_targets(targets: Tensor, world: World = ALONE) -> float:
    """The predicted tokens of the whole batch, which its summed loss is divided by.

    Raises:
        NoTargetError: in every process, if there is none.
    """
    (n_tokens,) = world.sum(int((targets != IGNORED_TARGET).sum()))
    if not n_tokens:
        raise NoTargetError(NO_TARGET)
    return n_tokens


@contextmanager
def keyed_dropout(model: nn.Module, seed: int, step: int, rank: int = 0) -> Iterator[None]:
    """Make dropout a function of (seed, step, rank), and leave PyTorch's global generators as they were."""
    if type(model) is GPT and model.config.dropout == 0:
        yield
        return
    key = int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])
    with seeded_generators({parameter.device for parameter in model.parameters()}, key):
        yield
