"""The weights of a model by name, and their way from a checkpoint into a model."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from minigpt.training.processes.strategies import copy_whole

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def dtype_of(weights: Mapping[str, Tensor]) -> torch.dtype:
    """The one dtype of saved weights.

    Args:
        weights: by name.

    Raises:
        ValueError: if they have several, or a model can't compute in it.
    """
    found = {tensor.dtype for tensor in weights.values()}
    if len(found) != 1 or not found <= set(DTYPES):
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in found)) or "no dtype at all"
        raise ValueError(f"the weights have {names}; a model has one of float64, float32, bfloat16 and float16")
    return found.pop()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The weights by name, sharing their memory; and the buffers that a module wants to be kept with them."""
    kept = model.state_dict(keep_vars=True)
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return {**{name: parameter.data for name, parameter in model.named_parameters()}, **buffers}


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy weights by name into ``model``, in place.

    Raises:
        ValueError: if a weight is missing, left over, or of another shape or type.
    """
    own = weights_of(model)
    check_fit(own, weights, "the weights do")
    for name, tensor in own.items():
        copy_whole(tensor, weights[name])


def check_fit(own: dict[str, Tensor], saved: dict[str, Tensor], what: str) -> None:
    """Refuse saved tensors that are not exactly those that are wanted.

    Raises:
        ValueError: naming the first that is missing, left over, or of another shape or type.
    """
    has, wants = ({name: _kind(tensor) for name, tensor in named.items()} for named in (saved, own))
    wrong = sorted(name for name in {**has, **wants} if has.get(name) != wants.get(name))
    if wrong:
        raise ValueError(
            f"{what} not fit the model: of {wrong[0]} there is {has.get(wrong[0], 'nothing')}, the model wants "
            f"{wants.get(wrong[0], 'nothing')} ({len(wrong)} such name(s) in all)"
        )


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
