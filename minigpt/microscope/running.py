"""What every run under the microscope has in common: the model is a GPT, at rest, and the ids are where it is.

One run at a time: it changes the modes and the hooks of the model's modules, so the runs of several threads wait for
each other.

Dimensions: B batch, T positions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock

import torch
from torch import Tensor, nn

from minigpt.model import GPT
from minigpt.model.hooks import evaluation_mode
from minigpt.settings import whole_number

ONE_AT_A_TIME = RLock()  # one for all models: two models may share modules, and an edit may run another model
_looked_at: list[nn.Module] = []


def require_gpt(model: object) -> None:
    """Refuse what is not a GPT itself.

    Args:
        model: what was given.

    Raises:
        ValueError: if it is something else; the message says what to give.
    """
    if not isinstance(model, GPT):
        inner = getattr(model, "_orig_mod", getattr(model, "module", None))
        advice = "pass the GPT inside it" if isinstance(inner, GPT) else "pass a minigpt.GPT"
        raise ValueError(f"the microscope looks into a GPT, got {type(model).__name__}: {advice}")


def on_device(model: GPT, ids: Tensor) -> Tensor:
    """Token ids where the model's weights are.

    Args:
        model: what will read them.
        ids: ``(B, T)``.

    Raises:
        ValueError: if they are not a tensor.
    """
    if not isinstance(ids, Tensor):
        raise ValueError(f"ids must be a tensor (B, T) of token ids, got {type(ids).__name__}: use torch.tensor([ids])")
    return ids.to(model.token_embedding.weight.device)


def ids_of_rows(name: str, value: object, shape: Sequence[int], logits: Tensor) -> Tensor:
    """One token id for each row of logits.

    Args:
        name: of the argument, for the message.
        value: a token id, or a tensor of them that broadcasts to the shape.
        shape: of the rows that are read, such as ``(B,)``.
        logits: ``(..., V)``, from which they are read.

    Returns:
        The ids in this shape, on the device of the logits.

    Raises:
        ValueError: if they are no token ids, or have another shape.
    """
    if not isinstance(value, Tensor):
        return torch.full(tuple(shape), whole_number(name, value, 0, logits.shape[-1] - 1), device=logits.device)
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{name} has dtype {value.dtype}; expected token ids (torch.long)")
    try:
        ids = value.to(logits.device, torch.long).expand(tuple(shape))
    except RuntimeError:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; expected one token id, or a tensor {tuple(shape)}"
        ) from None
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < logits.shape[-1]:
        raise ValueError(
            f"{name} runs from {int(ids.min())} to {int(ids.max())}; the vocabulary is 0 to {logits.shape[-1] - 1}"
        )
    return ids


@contextmanager
def looked_at(model: nn.Module) -> Iterator[None]:
    """Keep other threads waiting, and refuse a second look at the same model, while the block runs.

    Args:
        model: whose activations are read or replaced.

    Raises:
        ValueError: if this thread is looking at the model already, as in a look from within an edit.
    """
    with ONE_AT_A_TIME:
        if any(model is other for other in _looked_at):
            raise ValueError(
                "this model is being looked at: an edit or a tap cannot look at the model that it belongs to; record "
                "what it needs with minigpt.look beforehand"
            )
        _looked_at.append(model)
        try:
            yield
        finally:
            _looked_at[:] = [other for other in _looked_at if other is not model]


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Evaluation mode while the block runs, for one thread at a time.

    Args:
        model: what computes.
    """
    with ONE_AT_A_TIME, evaluation_mode(model):
        yield


def on_the_path(x: Tensor) -> Tensor:
    """The same numbers as a tensor of their own, to compute with: the gradient by it is that of what follows.

    Args:
        x: an activation; where no gradient reaches it, such as fixed positions, it becomes a leaf of the graph.
    """
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
