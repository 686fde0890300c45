"""Parameters by role: what an optimizer treats alike."""

from typing import Any

from torch import Tensor, nn

from minigpt.model.block import CausalSelfAttention
from minigpt.model.roles import ROLES, roles_of


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Four parameter groups, by ``"role"``; modules declare it for their parameters: :mod:`minigpt.model.roles`.

    Args:
        model: whose parameters are sorted.
        weight_decay: of those that decay.

    Returns:
        "matrix": the weights inside the blocks, which decay; "qkv": those of them that are three matrices side by side,
        for queries, keys and values; "embedding": the tables of tokens and positions, the head, and weights of more
        than two axes, as ``nn.Conv2d`` has them, which decay;
        "vector": biases, gains of norms and taps of convolutions, which do not. Where the heads side by side are not D
        wide, "qkv" has the rows of the queries as ``"n_queries"``.
    """
    groups = {name: ROLES[role] for name, role in roles_of(model).items()}
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups |= {name: "embedding" for name, p in parameters if p.dim() > 2 and groups[name] == "matrix"}  # no matrix
    decays = {"matrix": weight_decay, "qkv": weight_decay, "embedding": weight_decay, "vector": 0.0}
    found = [
        {"params": [p for name, p in parameters if groups[name] == group], "weight_decay": decay, "role": group}
        for group, decay in decays.items()
    ]
    widths = {part.n_heads * part.head_width for part in model.modules() if isinstance(part, CausalSelfAttention)}
    if len(widths) == 1 and {p.shape[1] for name, p in parameters if groups[name] == "qkv"} != widths:
        found[1]["n_queries"] = widths.pop()
    return found


def split_qkv(weight: Tensor, n_queries: int | None = None) -> tuple[Tensor, ...]:
    """What lies side by side in one matrix, as views: W^Q ``(H·E, D)``, W^K and W^V ``(G·E, D)`` each.

    Args:
        weight: ``(H·E + 2·G·E, D)``, as the attention of a GPT keeps it.
        n_queries: H · E, the rows of W^Q; ``None`` means D.
    """
    n_rows, d_model = weight.shape
    n_queries = d_model if n_queries is None else n_queries
    n_kv = (n_rows - n_queries) // 2
    return weight.split([n_queries, n_kv, n_kv])
