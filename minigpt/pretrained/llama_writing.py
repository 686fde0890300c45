"""A configuration of ours as the ``config.json`` of a model of the Llama family."""

from typing import Any

from minigpt.model import GPTConfig
from minigpt.pretrained.llama_fields import ATTENTION_TYPES, FAMILY_PARTS, LLAMA_SIZES, Family
from minigpt.pretrained.rope_fields import rope_fields


def not_in_family(family: Family, config: GPTConfig) -> list[str]:
    """The parts of a configuration of ours that the format has no place for.

    Args:
        family: the kind of model that is written.
        config: ours.

    Returns:
        As a message names them, such as "norm='layer'".
    """
    other = [
        f"{name}={getattr(config, name)!r}" for name, part in FAMILY_PARTS.items() if getattr(config, name) != part
    ]
    other += [] if config.qk_norm == family.qk_norm else [f"qk_norm={config.qk_norm}"]
    other += [] if config.rope_scaling != "ntk" else ["rope_scaling='ntk'"]
    other += [] if (config.n_experts is not None) == family.experts else [f"n_experts={config.n_experts}"]
    other += [f"{place}_bias={has}" for place, has in config.biases.items() if not _is_free(family, config, place, has)]
    seen = set(config.windows)
    if seen != {None} and (family.windows == "none" or (family.windows == "all" and None in seen)):
        other += [f"window={config.window}, window_layers={config.window_layers!r}"]
    if not family.free_width and config.d_model % config.n_heads:
        other += [f"d_model={config.d_model} for n_heads={config.n_heads}"]
    return other


def _is_free(family: Family, config: GPTConfig, place: str, has: bool) -> bool:
    """Whether the format can say that there are biases in a place, or none, beside what is said of the other places."""
    together = next((places for places in family.bias_fields.values() if place in places), None)
    if together is None:
        return has == (place in family.biases)
    return has == config.biases[together[0]]


def llama_object(family: Family, config: GPTConfig) -> dict[str, Any]:
    """The ``config.json`` of a model that has the parts of the family.

    Args:
        family: the kind of model that is written.
        config: ours, in which nothing is lacking.
    """
    fields = {
        "architectures": [family.architecture],
        **{name: getattr(config, ours) for ours, name in LLAMA_SIZES.items()},
        "intermediate_size": config.hidden_width,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied_head,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "eos_token_id": None,
        **rope_fields(config),
        **{name: config.biases[places[0]] for name, places in family.bias_fields.items()},
    }
    if family.windows == "all":
        fields["sliding_window"] = config.windows[0]
    if family.windows == "layer":
        types = {letter: name for name, letter in ATTENTION_TYPES.items()}
        uses = any(window is not None for window in config.windows)
        fields |= {"use_sliding_window": uses, "sliding_window": config.window if uses else None}
        fields["layer_types"] = [types["f" if window is None else "w"] for window in config.windows]
    if family.experts:
        fields |= {"num_local_experts": config.n_experts, "num_experts_per_tok": config.n_active_experts}
    return fields
