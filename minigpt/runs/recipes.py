"""Recipes: which parts and which training settings go together, by name.

A recipe fills fields of a :class:`~minigpt.RunConfig`; what the caller sets explicitly wins over it.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from minigpt.settings import check_choice

CLASSIC = {"norm": "layer", "position": "learned", "qk_norm": False, "mlp": "gelu-tanh", "bias": True}
TODAY = {"norm": "rms", "position": "rope-half", "qk_norm": True, "mlp": "relu2", "bias": False}

# Where somebody is now is the last of several places in the text, so scores should fall with the distance.
RECENT = {"position": "alibi"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named choice of parts and settings.

    Attributes:
        summary: one line in plain words.
        source: fields of ``Source``.
        model: fields of ``GPTConfig``.
        training: fields of ``TrainConfig``.
    """

    summary: str
    source: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def _for_task(
    what: str, *, training: dict[str, Any], model: dict[str, Any] | None = None, reading: float = 0.6
) -> Recipe:
    """A small model with a short convolution, and Muon: a task of the tiny world in minutes on a CPU."""
    return Recipe(
        summary=f"learns {what} within minutes: today's parts, a short convolution, Muon, phrases as tokens",
        source={"tokenizer": "bpe:1024", "reading": reading},
        model={
            **TODAY,
            "n_layers": 3,
            "d_hidden": 256,
            "context_length": 256,
            "convolution": 4,
            "initialisation": "zero",
            **(model or {}),
        },
        training={
            "optimizer": "muon",
            "learning_rate": 0.01,
            "final_learning_rate": 0.0,
            "batch_size": 24,
            "precision": "auto",
            **training,
        },
    )


DEFAULT = "gpt2"

#: The recipes by name.
RECIPES: dict[str, Recipe] = {
    "gpt2": Recipe(
        summary="the parts of GPT-2: LayerNorm, learned positions, GELU; AdamW with warm-up and cosine decay",
        model=CLASSIC,
        training={"learning_rate": None, "rate_at_128": 2e-3},
    ),
    "fast": Recipe(
        summary="a low loss in the least time: today's parts, a short convolution, an untied head, blocks that start "
        "as the identity; Muon at a rate that falls to 0, products in 16 bits, compiled where that pays",
        model={**TODAY, "convolution": 4, "tied_head": False, "initialisation": "zero"},
        training={
            "learning_rate": None,
            "rate_at_128": 1.7e-3,
            "optimizer": "muon",
            "schedule": "linear",
            "final_learning_rate": 0.0,
            "clip_norm": math.inf,
            "precision": "auto",
            "compile": "auto",
        },
    ),
    "as-written": Recipe(
        summary="the fine-tuning script of the seed document, section 4: documents padded and cut to the context, Adam "
        "at a rate of 0.001 that stays, batches of 32, 10 epochs",
        model={"dropout": 0.0},  # from_pretrained leaves a model in evaluation mode, and the script never changes that
        training={
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "schedule": "constant",
            "warmup_steps": 0,
            "beta_2": 0.999,
            "weight_decay": 0.0,
            "clip_norm": math.inf,
            "batch_size": 32,
        },
        source={"tokenizer": "gpt2", "documents": True, "epochs": 10},
    ),
    "story": _for_task(  # a story has only one ending to learn from, so a small model that reads many of them
        "to tell the stories of the tiny world",
        reading=0.0,
        model={"n_layers": 2, "n_heads": 8, "d_hidden": 128, **RECENT},
        training={"steps": 3700, "batch_size": 32, "learning_rate": 0.015},
    ),
    "translate": _for_task("to translate the stories of the tiny world", training={"steps": 2000}, reading=0.0),
    "qa": _for_task("to answer questions about the stories of the tiny world", training={"steps": 3000}, model=RECENT),
    "dialogue": _for_task("to talk about the stories of the tiny world", training={"steps": 4800}, model=RECENT),
}


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Args:
        name: one of :data:`RECIPES`.

    Raises:
        ValueError: if there is none.
    """
    check_choice("recipe", name, RECIPES)
    return RECIPES[name]
