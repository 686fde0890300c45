"""What a function sees of its tensors: their numbers, for a check that must know them, and who asked for the result."""

import torch
from torch import Tensor

# PyTorch has no public question for these two. A version without them gets the answer that is right in every case,
# though it costs time or memory.
_TRANSFORMS_ARE_ACTIVE = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)
_KEEPS_GRAPH = getattr(
    getattr(torch._C, "_autograd", None), "_get_current_graph_task_keep_graph", lambda: True
)  # fmt: skip


def numbers_of(x: Tensor) -> Tensor:
    """The numbers of ``x``; inside ``torch.vmap`` those of all examples at once, which no ``if`` could ask for.

    Args:
        x: any tensor; ``torch.vmap`` and ``torch.func.grad`` wrap theirs, perhaps several times.
    """
    return torch.func.debug_unwrap(x)


def is_transformed() -> bool:
    """Whether ``torch.vmap``, ``torch.func.grad`` or another transform of ``torch.func`` computes at this moment.

    They take derivatives of any order, of all examples at once, and PyTorch's and our own fast gradients do not have
    these. The formulas do.
    """
    return not torch.compiler.is_compiling() and _TRANSFORMS_ARE_ACTIVE()


def keeps_graph() -> bool:
    """Whether the backward pass that runs at this moment may run again, so that its tensors must stay as they are."""
    return _KEEPS_GRAPH()
