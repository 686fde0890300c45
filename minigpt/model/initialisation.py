r"""Where training starts from.

Matrices and token embeddings are drawn from $N(0, s^2)$, learned positions from $N(0, s^2 / 4)$; biases are 0 and norms
the identity. The variance of the residual stream grows with each of the $2L$ writes of its L blocks; the choice is how
the two matrices of a block that write to it start:

- "gpt2": $N(0, s^2 / 2L)$, so that the stream ends as wide as one write makes it.
- "plain": $N(0, s^2)$, as any other.
- "zero": 0, so that each block starts as the identity.

Dimensions: L layers; s standard deviation, 0.02 in GPT-2.
Source: Radford et al. 2018, section 4.1; 2019, section 2.3; the deviations 0.02 and 0.01 are OpenAI's code's. "zero":
Zhang, Dauphin & Ma 2019, arXiv:1901.09321 (Fixup).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from minigpt.model.roles import roles_of

#: From the name of an initialisation to the standard deviation of the matrices that write to the residual stream, given
#: that of the others and L.
INITIALISATIONS: dict[str, Callable[[float, int], float]] = {
    "gpt2": lambda std, n_layers: std / math.sqrt(2 * n_layers),
    "plain": lambda std, n_layers: std,
    "zero": lambda std, n_layers: 0.0,
}


@torch.no_grad()
def initialise(
    model: nn.Module, name: str, std: float, n_layers: int, generator: torch.Generator | None = None
) -> None:
    """Draw the initial weights in place, each by the role that :func:`minigpt.model.roles_of` gives it.

    Gains, and vectors of no declared role, keep the values that their module gave them.

    Args:
        model: a GPT, or a part of one.
        name: one of ``INITIALISATIONS``.
        std: s, the standard deviation of most weights.
        n_layers: L.
        generator: where the weights are drawn from; ``None`` means PyTorch's global generator.
    """
    deviations = dict.fromkeys(("matrix", "qkv", "embedding"), std)
    deviations |= {"position": std / 2, "residual": INITIALISATIONS[name](std, n_layers)}
    roles = roles_of(model)
    for parameter_name, parameter in model.named_parameters():
        role = roles[parameter_name]
        if role in deviations:
            parameter.normal_(0, deviations[role], generator=generator)
        elif role in ("bias", "taps"):
            parameter.zero_()


@contextmanager
def shapes_alone() -> Iterator[None]:
    """What is built in this context has its parts and shapes, but no memory and no numbers (PyTorch's meta device).

    Nothing is drawn: on that device PyTorch would load its compiler for it, which takes seconds.
    """
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if function in (torch.Tensor.normal_, torch.Tensor.uniform_) or _module_of(function) == nn.init.__name__:
            return args[0] if args else given["tensor"]
        return function(*args, **given)


def _module_of(function: object) -> str | None:
    return getattr(function, "__module__", None)
