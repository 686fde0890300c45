"""The rotary frequencies in a ``config.json``, in both spellings.

Since its version 5, ``transformers`` writes ``rope_parameters`` with everything in it; before, ``rope_theta`` beside
``rope_scaling``, whose ``rope_type`` was ``type`` still earlier.
"""

from typing import Any

from minigpt.model import GPTConfig
from minigpt.settings import shown

ROPE_FIELDS = ("rope_parameters", "rope_theta", "rope_scaling", "original_max_position_embeddings", "rope_interleaved")
#: From each type to the fields that it needs and those that it may have, with ours.
ROPE_TYPES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "default": ({}, {}),
    "linear": ({"factor": "rope_factor"}, {}),
    "llama3": (
        {"factor": "rope_factor", "low_freq_factor": "rope_low_turns", "high_freq_factor": "rope_high_turns"},
        {"original_max_position_embeddings": "rope_original_context"},
    ),
    "yarn": (
        {"factor": "rope_factor"},
        {
            "original_max_position_embeddings": "rope_original_context",
            "beta_slow": "rope_low_turns",
            "beta_fast": "rope_high_turns",
            "attention_factor": "rope_attention_factor",
        },
    ),
}
OUR_KINDS = {"default": "none", "linear": "linear", "llama3": "llama3", "yarn": "yarn"}
ALSO = {"rope_type", "type", "rope_theta"}


def rope_settings(fields: dict[str, Any]) -> dict[str, Any]:
    """Our settings of the rotary frequencies.

    Args:
        fields: the object in the file.

    Raises:
        ValueError: if the type is unknown, or a number is missing, unknown or said twice.
    """
    if fields.get("rope_interleaved") not in (None, False):
        raise ValueError(f"rope_interleaved is {shown(fields['rope_interleaved'])}; only false can be loaded")
    parameters = _parameters(fields)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if not isinstance(kind, str) or kind not in ROPE_TYPES:
        raise ValueError(f"rope_type is {shown(kind)}, which this GPT does not do; it does {', '.join(ROPE_TYPES)}")
    if parameters.get("type", kind) != kind:
        raise ValueError(f"rope_type is {shown(kind)} and type is {shown(parameters['type'])}; expected one of them")
    if parameters.get("rope_theta", 0) is None:
        raise ValueError("rope_theta is None in rope_parameters; expected a number")
    needed, optional = ROPE_TYPES[kind]
    known = needed | optional
    for name, value in parameters.items():
        if name not in known and name not in ALSO and not _is_harmless(kind, name, value):
            raise ValueError(
                f"{name} is {shown(value)} in the settings of rope_type {kind!r}, which knows no such field"
            )
    if missing := [name for name in needed if parameters.get(name) is None]:
        raise ValueError(f"rope_type {kind!r} lacks {', '.join(missing)}")
    ours = {known[name]: value for name, value in parameters.items() if name in known and value is not None}
    if "original_max_position_embeddings" in optional and fields.get("original_max_position_embeddings") is not None:
        ours["rope_original_context"] = fields["original_max_position_embeddings"]
    base = parameters.get("rope_theta", fields.get("rope_theta"))
    return {"rope_scaling": OUR_KINDS[kind], "rope_base": 10000.0 if base is None else base, **ours}


def _parameters(fields: dict[str, Any]) -> dict[str, Any]:
    new, old = fields.get("rope_parameters"), fields.get("rope_scaling")
    for name, value in (("rope_parameters", new), ("rope_scaling", old)):
        if value is not None and not isinstance(value, dict):
            raise ValueError(f"{name} is {shown(value)}; expected an object")
    if new and old:
        raise ValueError(f"rope_parameters is {shown(new)} and rope_scaling is {shown(old)}; expected one of them")
    return dict(new or old or {})


def _is_harmless(kind: str, name: str, value: Any) -> bool:
    """Whether an unknown number changes nothing: what the type does not read, or the value that is the usual one."""
    usual = {"partial_rotary_factor": 1, "truncate": True}
    unread = kind == "default" and name in ("factor", "original_max_position_embeddings") and value in (None, 1)
    return unread or (name in usual and value == usual[name]) or value is None


def rope_fields(config: GPTConfig) -> dict[str, Any]:
    """What a ``config.json`` says of our rotary frequencies, in the newer spelling.

    Args:
        config: ours, with a scaling that has a type.
    """
    kind = next(theirs for theirs, ours in OUR_KINDS.items() if ours == config.rope_scaling)
    needed, optional = ROPE_TYPES[kind]
    rope, prefix = config.rope, "rope_"
    numbers = {name: getattr(rope, ours.removeprefix(prefix)) for name, ours in (needed | optional).items()}
    return {"rope_parameters": {"rope_type": kind, "rope_theta": config.rope_base, **numbers}}
