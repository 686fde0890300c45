"""Models and data of one's own: what training needs of them, asked once, before the first step.

A model is any module that maps ids ``(B, T)`` to logits ``(B, T, V)``. Where it has a :class:`minigpt.GPTConfig` as its
``config``, the vocabulary and the context of the data are compared with it; of other modules nobody knows them.
"""

from typing import Any

from torch import nn

from minigpt.model import GPT, GPTConfig
from minigpt.model.block import PreNormBlock
from minigpt.settings import to_object
from minigpt.text import Dataset
from minigpt.text.datasets.items import Items, as_dataset
from minigpt.training.config import TrainConfig


def shape_of(model: nn.Module) -> GPTConfig | None:
    """The configuration of a GPT, or of a module that has one; ``None`` for any other module."""
    config = getattr(model, "config", None)
    return config if isinstance(config, GPTConfig) else None


def describe_model(model: nn.Module) -> dict[str, Any]:
    """What a checkpoint says of a model: the fields of its configuration, and its class where that is not GPT."""
    shape = shape_of(model)
    fields = {} if shape is None else to_object(shape)
    return fields if type(model) is GPT else {"class": class_name(model), **fields}


def has_blocks(model: nn.Module) -> bool:
    """Whether some part of a model is a block of a GPT, which can be recomputed or compiled."""
    return any(isinstance(module, PreNormBlock) for module in model.modules())


def class_name(model: nn.Module) -> str:
    """The module and name of a model's class, such as "my_models.RNN"."""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def check_model(model: nn.Module, config: TrainConfig) -> TrainConfig:
    """The configuration with its rules resolved for a model.

    Raises:
        ValueError: if it is not a module with something to train, or a setting needs what only a GPT has.
    """
    if not isinstance(model, nn.Module) or not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            f"model is {model if isinstance(model, type) else type(model)} and has no parameters to train; expected an "
            "nn.Module that maps ids (B, T) to logits (B, T, V)"
        )
    shape, name = shape_of(model), type(model).__name__
    if not has_blocks(model):
        settings = {"activation_checkpointing": True, "compile": True, "strategy": "fsdp"}
        for setting, value in settings.items():
            if getattr(config, setting) == value:
                raise ValueError(f"{setting}={value!r} acts on the blocks of a GPT, and {name} has none; leave it out")
    if shape is None and config.learning_rate is None:
        raise ValueError(f"learning_rate=None follows the width of a GPT, and {name} has no GPTConfig; set a rate")
    return config.resolved(1 if shape is None else shape.d_model)  # no rule but the rate's reads the width


def check_data(model: nn.Module, data: Dataset | Items, split: str = "training") -> Dataset:
    """The data as batches, if they fit the model.

    Args:
        model: what learns from it.
        data: batches, or map-style data.
        split: what an error calls it.

    Raises:
        ValueError: if it is neither, or has a larger vocabulary or a longer context than the model.
    """
    shape = shape_of(model)
    if shape is None:
        return as_dataset(data)
    data = as_dataset(data, context_length=shape.context_length, vocab_size=shape.vocab_size)
    if data.vocab_size > shape.vocab_size:
        raise ValueError(
            f"the {split} data has vocab_size={data.vocab_size}, the model only {shape.vocab_size}; build the model "
            "with GPTConfig(vocab_size=tokenizer.vocab_size, …)"
        )
    if data.context_length > shape.context_length:
        raise ValueError(
            f"the {split} data is cut for context_length={data.context_length}, the model takes "
            f"{shape.context_length}; make them equal"
        )
    return data
