"""Parameters by role: what an optimizer treats alike."""

from typing import Any

from torch import Tensor, nn


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Three parameter groups, by ``"role"``.

    Args:
        model: whose parameters are sorted.
        weight_decay: of those that decay.

    Returns:
        "matrix": the weights inside the blocks, which decay; "embedding": the tables of tokens and positions and the
        head, which decay; "vector": biases, gains of norms and taps of convolutions, which do not.
    """
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    roles = {"matrix": weight_decay, "embedding": weight_decay, "vector": 0.0}
    return [
        {"params": [p for name, p in parameters if role_of(name, p) == role], "weight_decay": decay, "role": role}
        for role, decay in roles.items()
    ]


def role_of(name: str, parameter: Tensor) -> str:
    """The role of a parameter of a GPT: "matrix", "embedding" or "vector"."""
    if parameter.dim() < 2 or name.endswith("taps"):  # a convolution's: a vector for each position
        return "vector"
    return "embedding" if name.endswith(("embedding.weight", "head.weight")) else "matrix"
