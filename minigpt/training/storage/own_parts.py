"""Whether a model is the one that a checkpoint was saved from, where the weights alone would fit.

Parts of a model that only the user's code can build are named in a checkpoint, which is never loaded as a plain GPT.
And a GPT is not loaded as one of another configuration: one with other heads has weights of the same shapes.
"""

import json
from collections.abc import Mapping
from typing import Any

from torch import nn

from minigpt.model import GPT, GPTConfig
from minigpt.model.initialisation import shapes_alone
from minigpt.settings import Mark, marked, to_object

#: What may differ where weights are loaded: it decides how they are computed, started or trained, and no logits.
FREE = marked(GPTConfig, Mark.SAME_NUMBERS) | {"dropout", "initialisation", "init_std"}


def own_parts(model: nn.Module) -> dict[str, str]:
    """The parts that a GPT of the same configuration would not have: the class of each, by its name.

    Args:
        model: as it is before several processes share it. Of a module that is not a GPT nothing is known.
    """
    if not isinstance(model, GPT):
        return {}
    with shapes_alone():
        usual = {name: type(part) for name, part in GPT(model.config).named_modules()}
    own = {name: type(part) for name, part in model.named_modules() if type(part) is not usual.get(name)}
    return {name: kind.__name__ for name, kind in own.items()}


def check_own_parts(state: Mapping[str, Any], own: Mapping[str, str]) -> None:
    """Refuse a model whose parts are of other classes than those of the run, also where the weights would fit.

    Args:
        state: of the checkpoint; what it says was not checked.
        own: the parts of the model that gets the weights.

    Raises:
        ValueError: naming those of both.
    """
    saved = state.get("own_parts", own)
    if saved != own:
        raise ValueError(
            "the checkpoint belongs to another model: its parts that no GPT has were "
            f"{_named(saved)}, now {_named(own)}. Use the model as it was built for the run"
        )


def check_same_shape(state: Mapping[str, Any], model: nn.Module) -> None:
    """Refuse a model of another configuration than that of the run, also where the weights would fit.

    Args:
        state: of the checkpoint; what it says was not checked.
        model: gets the weights; of a module without a :class:`minigpt.GPTConfig` as its ``config`` nothing is known.

    Raises:
        ValueError: naming each field that differs, with both values.
    """
    config = getattr(model, "config", None)
    fields = {name: value for name, value in state["model_config"].items() if name != "class"}
    if not isinstance(config, GPTConfig) or not fields:
        return
    saved, own = (to_object(each.resolved()) for each in (GPTConfig.from_json(json.dumps(fields)), config))
    differing = [name for name in own if name not in FREE and saved[name] != own[name]]
    if differing:
        told = "; ".join(f"{name} was {saved[name]!r}, now {own[name]!r}" for name in differing)
        raise ValueError(
            f"the checkpoint belongs to another model: {told}. Give the model the configuration of the run, or leave "
            "it out: load_model(out)"
        )


def refuse_own_parts(state: Mapping[str, Any]) -> None:
    """Refuse to build the model of a checkpoint whose parts are not those of its configuration.

    Args:
        state: of the checkpoint; what it says was not checked.

    Raises:
        ValueError: naming the parts, and what to do.
    """
    if not (own := state.get("own_parts")):
        return
    raise ValueError(
        f"the checkpoint is of a GPT with parts of its own ({_named(own)}), which only your code can build: make "
        "the model as it was trained and pass it, load_model(out, model)"
    )


def _named(own: Any) -> str:
    if not isinstance(own, Mapping):
        return str(own)[:200]
    return ", ".join(f"{name or 'the model'}: {kind}" for name, kind in own.items())[:200] or "none"
