"""The settings of the Llama family in a ``config.json``: which are read, which must have one value, which mean nothing.

A field that is none of these changes something that our GPT does not do, so it is refused by its name, unless it is
null, false or empty.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from minigpt.model import GPTConfig
from minigpt.pretrained.rope_fields import ROPE_FIELDS, rope_settings
from minigpt.settings import shown

LLAMA_SIZES = {
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "d_hidden": "intermediate_size",
}
#: What every model of the family has.
FAMILY_PARTS = {"position": "rope-half", "norm": "rms", "norm_placement": "pre", "mlp": "swiglu", "convolution": None}
#: What changes no logit: names, ids of tokens, what training starts from, how text is written.
MEANINGLESS = frozenset(
    """
    _name_or_path architectures bos_token_id eos_token_id pad_token_id unk_token_id sep_token_id initializer_range
    transformers_version torch_dtype dtype use_cache pretraining_tp id2label label2id problem_type return_dict
    output_attentions output_hidden_states output_router_logits router_aux_loss_coef chunk_size_feed_forward
    is_llama_config transformers.js_config task_specific_params _attn_implementation attn_implementation max_length
    min_length do_sample temperature top_k top_p repetition_penalty length_penalty num_beams early_stopping
    """.split()  # noqa: SIM905 (a line a name would be long)
)
READ_FIELDS = frozenset(
    {*LLAMA_SIZES.values(), *ROPE_FIELDS, "model_type", "num_key_value_heads", "head_dim", "hidden_act", "rms_norm_eps"}
    | {"tie_word_embeddings", "attention_dropout"}
)
ATTENTION_TYPES = {"sliding_attention": "w", "full_attention": "f"}


@dataclass(frozen=True, kw_only=True)
class Family:
    """One of the kinds of model.

    Attributes:
        title: its name in messages.
        architecture: the class of ``transformers``.
        biases: where it has biases whatever its fields say.
        bias_fields: the fields that say where it has biases.
        qk_norm: whether queries and keys are normalised.
        windows: "none", "all" layers by ``sliding_window``, or by "layer".
        experts: whether its MLPs are mixtures of experts.
        free_width: whether the width need not be a multiple of the number of heads.
        defaults: of fields that a file may leave out.
    """

    title: str
    architecture: str
    biases: frozenset[str] = frozenset()
    bias_fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    qk_norm: bool = False
    windows: str = "none"
    experts: bool = False
    free_width: bool = True
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def own_fields(self) -> set[str]:
        """The fields that it has beside those of all."""
        windows = {"none": set(), "all": {"sliding_window"}}
        windows["layer"] = {"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"}
        experts = {"num_local_experts", "num_experts_per_tok"} if self.experts else set()
        return {*self.bias_fields, *windows[self.windows], *experts}


_QWEN = {
    "num_key_value_heads": 32,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
}
FAMILIES = {
    "llama": Family(
        title="Llama",
        architecture="LlamaForCausalLM",
        bias_fields={"attention_bias": ("qkv", "out"), "mlp_bias": ("mlp",)},
        free_width=False,
    ),
    "qwen2": Family(
        title="Qwen2",
        architecture="Qwen2ForCausalLM",
        biases=frozenset({"qkv"}),
        windows="layer",
        defaults=_QWEN,
    ),
    "qwen3": Family(
        title="Qwen3",
        architecture="Qwen3ForCausalLM",
        bias_fields={"attention_bias": ("qkv", "out")},
        qk_norm=True,
        windows="layer",
        defaults=_QWEN | {"head_dim": 128},
    ),
    "mistral": Family(
        title="Mistral",
        architecture="MistralForCausalLM",
        windows="all",
        defaults={"num_key_value_heads": 8, "sliding_window": 4096},
    ),
    "mixtral": Family(
        title="Mixtral",
        architecture="MixtralForCausalLM",
        windows="all",
        experts=True,
        defaults={
            "num_key_value_heads": 8,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1e6,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
        },
    ),
}


def llama_config(family: Family, fields: dict[str, Any], dropout: float | None, attention: str) -> GPTConfig:
    """Our configuration of the model that a ``config.json`` describes.

    Args:
        family: which kind it is.
        fields: the object in the file.
        dropout: the share of activations dropped in training; ``None`` takes the file's, which must be 0.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: naming the field that is missing, wrong, or asks for what our GPT does not do.
    """
    _check_known(family, fields)
    if missing := [name for name in LLAMA_SIZES.values() if name not in fields]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    given = {**family.defaults, **fields}
    if (activation := given.get("hidden_act", "silu")) not in ("silu", "swish"):
        raise ValueError(f"hidden_act is {shown(activation)}; this GPT gates with 'silu' alone")
    dropped = given.get("attention_dropout", 0.0)
    if dropout is None and dropped != 0:
        raise ValueError(
            f"attention_dropout is {shown(dropped)}, of the weights of attention alone, and this GPT has one rate for "
            "all; choose it with dropout=…"
        )
    ours = {
        **FAMILY_PARTS,
        **{name: given[theirs] for name, theirs in LLAMA_SIZES.items()},
        "n_kv_heads": given.get("num_key_value_heads"),
        "d_head": given.get("head_dim"),
        "norm_eps": given.get("rms_norm_eps", 1e-6),
        "tied_head": given.get("tie_word_embeddings", False),
        "dropout": dropout or 0.0,
        "attention": attention,
        "qk_norm": family.qk_norm,
        **rope_settings(given),
        **_biases(family, given),
        **_windows(family, given),
        **_experts(family, given),
    }
    return GPTConfig.from_json(json.dumps(ours))  # which checks each type


def _check_known(family: Family, fields: dict[str, Any]) -> None:
    if fields.get("quantization_config") is not None:
        raise ValueError("its weights are quantized (quantization_config), which is not read; get the original weights")
    known = READ_FIELDS | MEANINGLESS | family.own_fields
    for name, value in fields.items():
        if name not in known and not (value is None or value is False or value in ({}, [], 0, "")):
            raise ValueError(
                f"{name} is {shown(value)}, which this GPT does not know; if it changes no logit, take it out of the "
                "file"
            )


def _biases(family: Family, given: dict[str, Any]) -> dict[str, Any]:
    has: dict[str, Any] = {
        "bias": False,
        **{f"{place}_bias": place in family.biases for place in ("qkv", "out", "mlp")},
    }
    for name, where in family.bias_fields.items():
        has |= {f"{place}_bias": given.get(name, False) for place in where}
    return has


def _windows(family: Family, given: dict[str, Any]) -> dict[str, Any]:
    if family.windows == "none":
        return {}
    window = given.get("sliding_window")
    if family.windows == "all":
        return {"window": window}
    types = given.get("layer_types")
    if not isinstance(used := given["use_sliding_window"], bool):
        raise ValueError(f"use_sliding_window is {shown(used)}; expected true or false")
    if types is None:
        first = given["max_window_layers"]
        if not isinstance(first, int) or isinstance(first, bool):
            raise ValueError(f"max_window_layers is {shown(first)}; expected a whole number")
        n_layers = given["num_hidden_layers"]
        n_layers = n_layers if isinstance(n_layers, int) and 0 < n_layers <= 4096 else 1  # else refused with the rest
        letters = "".join("w" if used and i >= first else "f" for i in range(n_layers))
    elif not isinstance(types, list) or not all(isinstance(each, str) and each in ATTENTION_TYPES for each in types):
        raise ValueError(f"layer_types is {shown(types)}; expected a list of {', '.join(ATTENTION_TYPES)}")
    elif len(types) != given["num_hidden_layers"]:
        raise ValueError(f"layer_types has {len(types)} entries for {shown(given['num_hidden_layers'])} layers")
    else:
        letters = "".join(ATTENTION_TYPES[each] for each in types)
    if "w" in letters and (window is None or not used):
        raise ValueError(
            f"layer_types has sliding_attention, and use_sliding_window is {used}, sliding_window {window}"
        )
    return {"window": window, "window_layers": letters} if "w" in letters else {}


def _experts(family: Family, given: dict[str, Any]) -> dict[str, Any]:
    if not family.experts:
        return {}
    return {"n_experts": given["num_local_experts"], "n_active_experts": given["num_experts_per_tok"]}
