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
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from minigpt.model.gpt import GPT

#: From the name of an initialisation to the standard deviation of the matrices that write to the residual stream, given
#: that of the others and L.
INITIALISATIONS: dict[str, Callable[[float, int], float]] = {
    "gpt2": lambda std, n_layers: std / math.sqrt(2 * n_layers),
    "plain": lambda std, n_layers: std,
    "zero": lambda std, n_layers: 0.0,
}


@torch.no_grad()
def initialise(model: "GPT", generator: torch.Generator | None = None) -> None:
    """Draw the initial weights that the model's configuration names, in place.

    Args:
        model: a GPT.
        generator: where the weights are drawn from; ``None`` means PyTorch's global generator.
    """
    std = model.config.init_std
    residual = INITIALISATIONS[model.config.initialisation](std, model.config.n_layers)
    for name, parameter in model.named_parameters():
        if name.endswith(("project_out.weight", "contract.weight")):
            parameter.normal_(0, residual, generator=generator)
        elif name == "position.embedding.weight":
            parameter.normal_(0, std / 2, generator=generator)
        elif name.endswith("taps"):
            parameter.zero_()
        elif parameter.dim() == 2:
            parameter.normal_(0, std, generator=generator)
        elif name.endswith("bias"):
            parameter.zero_()
