"""Looking at the numbers of a tensor, for a check that must know them: whether an id is in range, a score overflows."""

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
