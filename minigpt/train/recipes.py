"""Recipes: which parts and which training settings go together, by name.

A recipe changes fields of a preset's :class:`~minigpt.GPTConfig` and chooses the learning rate; what the caller sets
explicitly wins over it.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named choice of parts and settings.

    Attributes:
        summary: one line in plain words.
        rate_at_128: the learning rate that does best at width 128; see :meth:`learning_rate`.
        model: fields of ``GPTConfig``.
    """

    summary: str
    rate_at_128: float
    model: dict[str, Any] = field(default_factory=dict)

    def learning_rate(self, d_model: int) -> float:
        """The rate for a model of width D, falling as 1/D.

        Source: Yang et al. 2022, arXiv:2203.03466, table 3 (hidden weights under Adam).
        """
        return self.rate_at_128 * 128 / d_model


RECIPES: dict[str, Recipe] = {
    "gpt2": Recipe(
        summary="the parts of GPT-2: LayerNorm, learned positions, GELU; AdamW with warm-up and cosine decay",
        rate_at_128=2e-3,
    ),
    "fast": Recipe(
        summary="today's parts: RMSNorm, rotary positions, QK-norm, squared ReLU, no biases",
        model={"norm": "rms", "position": "rope-half", "qk_norm": True, "mlp": "relu2", "bias": False},
        rate_at_128=3e-3,
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        ValueError: if there is none.
    """
    if name not in RECIPES:
        raise ValueError(f"recipe={name!r} is unknown; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]
