"""What a function sees of its tensors: their numbers, for a check that must know them, and who asked for the result."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

_KEYS = torch._C._TorchDispatchModeKey
_RECORDERS = (_KEYS.PROXY, _KEYS.FAKE)


def numbers_of(x: Tensor) -> Tensor:
    """The numbers of ``x``; inside ``torch.vmap`` those of all examples at once, which no ``if`` could ask for.

    Where ``torch.func.linearize`` or ``make_fx`` records a program, which is for other numbers, and where tensors have
    none, in ``FakeTensorMode`` and on the device "meta", what is returned is empty.

    Args:
        x: any tensor; ``torch.vmap`` and ``torch.func.grad`` wrap theirs, perhaps several times.
    """
    if x.is_meta or (not torch.compiler.is_compiling() and any(map(torch._C._get_dispatch_mode, _RECORDERS))):
        return x.new_empty(0)
    while torch._C._functorch.is_functorch_wrapped_tensor(x):
        x = torch._C._functorch.get_unwrapped(x)
    return x


def is_transformed() -> bool:
    """Whether ``torch.vmap``, ``torch.func.grad``, another transform of ``torch.func`` or forward mode computes now.

    They take derivatives of any order, of all examples at once, and PyTorch's and our own fast gradients do not have
    these. The formulas do.
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
