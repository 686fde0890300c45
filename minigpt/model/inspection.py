"""What a function sees of its tensors: their numbers, for a check that must know them, and who asked for the result."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

# PyTorch has no public question for these. A version without them gets the answer that is right in every case, though
# it costs time or memory; only a program that is being recorded is not told from one that computes.
_TRANSFORMS_ARE_ACTIVE = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)
_KEEPS_GRAPH = getattr(
    getattr(torch._C, "_autograd", None), "_get_current_graph_task_keep_graph", lambda: True
)  # fmt: skip
_MODE_OF = getattr(torch._C, "_get_dispatch_mode", lambda key: None)
_KEYS = getattr(torch._C, "_TorchDispatchModeKey", None)
_RECORDERS = tuple(getattr(_KEYS, name, None) for name in ("PROXY", "FAKE"))


def numbers_of(x: Tensor) -> Tensor:
    """The numbers of ``x``; inside ``torch.vmap`` those of all examples at once, which no ``if`` could ask for.

    Where ``torch.func.linearize`` or ``make_fx`` records a program, which is for other numbers, and where tensors have
    none, in ``FakeTensorMode`` and on the device "meta", what is returned is empty.

    Args:
        x: any tensor; ``torch.vmap`` and ``torch.func.grad`` wrap theirs, perhaps several times.
    """
    if x.is_meta or (not torch.compiler.is_compiling() and any(map(_MODE_OF, _RECORDERS))):
        return x.new_empty(0)
    return torch.func.debug_unwrap(x)


def is_transformed() -> bool:
    """Whether ``torch.vmap``, ``torch.func.grad``, another transform of ``torch.func`` or forward mode computes now.

    They take derivatives of any order, of all examples at once, and PyTorch's and our own fast gradients do not have
    these. The formulas do.
    """
    if torch.compiler.is_compiling():
        return False
    return _TRANSFORMS_ARE_ACTIVE() or getattr(forward_ad, "_current_level", 0) >= 0


def is_autocast(x: Tensor) -> bool:
    """Whether autocast rounds what enters a product; float64 it leaves alone.

    Args:
        x: floating point, any shape.
    """
    return torch.is_autocast_enabled(x.device.type) and x.dtype is not torch.float64


def wants_numbers_alone(x: Tensor) -> bool:
    """Whether a kernel may compute a function of ``x`` that has neither gradients nor transforms nor autocast.

    Args:
        x: what enters it, on the CPU.
    """
    is_graded = x.requires_grad and torch.is_grad_enabled()
    return not (is_graded or torch.is_autocast_enabled("cpu") or is_transformed())


def keeps_graph() -> bool:
    """Whether the backward pass that runs at this moment may run again, so that its tensors must stay as they are."""
    return _KEEPS_GRAPH()
