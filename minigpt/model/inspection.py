"""What a function sees of its tensors: their numbers, for a check that must know them, and who asked for the result."""

import torch
from torch import Tensor


def numbers_of(x: Tensor) -> Tensor:
    """The numbers of ``x``; inside ``torch.vmap`` those of all examples at once, which no ``if`` could ask for.

    Args:
        x: any tensor; ``torch.vmap`` and ``torch.func.grad`` wrap theirs, perhaps several times.
    """
    while torch._C._functorch.is_functorch_wrapped_tensor(x):
        x = torch._C._functorch.get_unwrapped(x)
    return x


def is_transformed() -> bool:
    """Whether ``torch.vmap``, ``torch.func.grad`` or another transform of ``torch.func`` computes at this moment.

    They take derivatives of any order, of all examples at once, and PyTorch's and our own fast gradients do not have
    these. The formulas do.
    """
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()
