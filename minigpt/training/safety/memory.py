r"""What a training step needs in memory.

In bytes, with P weights and b sequences at once through the model: $4P$ for the weights, $4P$ for their gradients,
$8P$ for AdamW's moments, and activations that grow with b: what the forward pass leaves for the backward pass. How
fast they grow is not guessed but measured, on steps of one and of two sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from minigpt.training.execution.blocks import run_blocks
from minigpt.training.gradients import accumulate_gradients, keyed_dropout
from minigpt.training.run_state import RunState


@dataclass(frozen=True, kw_only=True)
class StepMemory:
    """What a training step needs at its peak, in bytes, on the line through one and two sequences.

    With many sequences the peak may be in another stage of the step, whose tensors grow faster, such as the logits of a
    large vocabulary; the line is then too low.

    Attributes:
        weights: the parameters.
        gradients: one for each weight.
        moments: what the optimizer keeps of each weight.
        fixed: what a step needs besides, however few its sequences.
        activations: what each sequence adds.
    """

    weights: int
    gradients: int
    moments: int
    fixed: int
    activations: int

    def total(self, n_sequences: int) -> int:
        """The peak of a step with ``n_sequences`` at once through the model; measured for 1 and 2."""
        return self.weights + self.gradients + self.moments + self.working(n_sequences)

    def working(self, n_sequences: int) -> int:
        """What comes and goes within the step."""
        return self.fixed + n_sequences * self.activations


def step_memory(run: RunState) -> StepMemory:
    """Measure what a step of a run in one process needs, with short steps whose gradients are thrown away.

    One and two sequences are measured, and these totals are to be trusted. Beyond two,
    :func:`minigpt.cost.predict_memory` is: it follows each stage of the step, and the line may be too low.
    """
    parameters = list(run.model.parameters())
    weights = _bytes(parameters)
    moments = _bytes([tensor for p in parameters for tensor in run.optimizer.state_of(p).values()])
    one, two = (_peak(run, n) - weights for n in (1, 2))
    return StepMemory(
        weights=weights, gradients=weights, moments=moments, fixed=max(0, 2 * one - two), activations=two - one
    )


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _peak(run: RunState, n_sequences: int) -> int:
    """The most that is alive at once of what forward and backward pass make, gradients included."""
    ids = torch.zeros(n_sequences, run.data.context_length, dtype=torch.int64)
    run.optimizer.zero_grad()
    with (
        run_blocks(run.wrapper, recomputed=run.config.activation_checkpointing),
        keyed_dropout(run.model, 0, 0),
        PeakBytes() as made,
    ):
        accumulate_gradients(run.wrapper, ids, ids, n_sequences, run.precision)
    run.optimizer.zero_grad()
    return made.peak


class PeakBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are made within it: the most that were alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[StorageWeakRef, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation; what is in its results but not in its arguments is new."""
        result = func(*args, **(kwargs or {}))
        given, got = (
            {t.untyped_storage() for t in tree_leaves(tree) if isinstance(t, Tensor)}
            for tree in ((args, kwargs), result)
        )
        known = {storage._cdata for storage in given}
        self.alive |= {StorageWeakRef(each): each.nbytes() for each in got if each._cdata not in known}
        self.alive = {each: size for each, size in self.alive.items() if not each.expired()}
        if not _sums_gradients(func, args):
            self.peak = max(self.peak, sum(self.alive.values()))
        return result


def _sums_gradients(func: Any, args: Any) -> bool:
    """Whether two gradients of one tensor become one: in place, unless somebody watches, so the sum is no new tensor.

    It is one where the first is a view.
    """
    if func is not torch.ops.aten.add.Tensor or torch.is_grad_enabled():
        return False
    first, second = args
    return isinstance(second, Tensor) and first.shape == second.shape and not first._is_view()
