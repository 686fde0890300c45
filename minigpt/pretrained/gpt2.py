"""GPT-2 as Hugging Face writes it: which of its settings and tensors is which of ours.

GPT-2's own code multiplies from the other side, ``x @ W``, so the matrices of its blocks are ``(in, out)`` and ours,
``(out, in)``, are their transposes. Queries, keys and values lie side by side in one matrix in both.

Source: Radford et al. 2019; the names are those of OpenAI's code and of ``transformers.GPT2LMHeadModel``.
"""

import json
import re
from typing import Any

import torch

from minigpt.model import GPT, GPTConfig
from minigpt.pretrained.formats import Format, Stored
from minigpt.settings import shown

SIZES = {
    "vocab_size": "vocab_size",
    "context_length": "n_positions",
    "d_model": "n_embd",
    "n_layers": "n_layer",
    "n_heads": "n_head",
}
ACTIVATION_NAMES = {
    "gelu_new": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "gelu": "gelu",
    "relu2": "relu2",
    "relu": "relu",
}
DROPOUTS = ("embd_pdrop", "attn_pdrop", "resid_pdrop")

# What our GPT does not do; a folder that asks for anything else is refused.
FIXED = {
    "model_type": "gpt2",
    "scale_attn_weights": True,
    "add_cross_attention": False,
    "pruned_heads": {},
}
# Divides the scores of block l, counted from 0, by l + 1. Ours has no such switch: the queries are divided once.
BY_LAYER = "scale_attn_by_inverse_layer_idx"
# What GPT-2 does; a model of ours that does anything else can't be written.
GPT2_PARTS = {
    "position": "learned",
    "norm": "layer",
    "norm_placement": "pre",
    "qk_norm": False,
    "bias": True,
    "convolution": None,
    "window": None,
}

OUTER_TENSORS = {
    "transformer.wte.weight": "token_embedding.weight",
    "transformer.wpe.weight": "position.embedding.weight",
    "transformer.ln_f.weight": "norm.gain",
    "transformer.ln_f.bias": "norm.shift",
}
BLOCK_TENSORS = {
    "ln_1.weight": "norm_1.gain",
    "ln_1.bias": "norm_1.shift",
    "attn.c_attn.weight": "attention.project_qkv.weight",
    "attn.c_attn.bias": "attention.project_qkv.bias",
    "attn.c_proj.weight": "attention.project_out.weight",
    "attn.c_proj.bias": "attention.project_out.bias",
    "ln_2.weight": "norm_2.gain",
    "ln_2.bias": "norm_2.shift",
    "mlp.c_fc.weight": "mlp.expand.weight",
    "mlp.c_fc.bias": "mlp.expand.bias",
    "mlp.c_proj.weight": "mlp.contract.weight",
    "mlp.c_proj.bias": "mlp.contract.bias",
}
HEAD = "lm_head.weight"

_TRANSPOSED = re.compile(r"\.(c_attn|c_proj|c_fc)\.weight$")
_CAUSAL_MASK = re.compile(r"\.attn\.(bias|masked_bias)$")


def gpt_config(fields: dict[str, Any], dropout: float | None, attention: str) -> GPTConfig:
    """Our configuration of the model that a ``config.json`` describes.

    Args:
        fields: the object in the file.
        dropout: the share of activations dropped in training; ``None`` takes the file's.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: naming the field that is missing, wrong, or asks for what our GPT does not do.
    """
    for name, value in FIXED.items():
        if fields.get(name, value) != value:
            given = shown(fields[name])
            raise ValueError(f"{name} is {given}, which this GPT does not do; only {value!r} can be loaded")
    if fields.get("quantization_config") is not None:
        raise ValueError("its weights are quantized (quantization_config), which is not read; get the original weights")
    if not isinstance(fields.get(BY_LAYER, False), bool):
        raise ValueError(f"{BY_LAYER} is {shown(fields[BY_LAYER])}; expected true or false")
    if missing := [name for name in SIZES.values() if name not in fields]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    activation = fields.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in ACTIVATION_NAMES:
        raise ValueError(f"activation_function is {shown(activation)}; expected one of {', '.join(ACTIVATION_NAMES)}")
    ours = {
        **{name: fields[theirs] for name, theirs in SIZES.items()},
        "d_hidden": fields.get("n_inner"),
        "norm_eps": fields.get("layer_norm_epsilon", 1e-5),
        "mlp": ACTIVATION_NAMES[activation],
        "tied_head": fields.get("tie_word_embeddings", True),
        "dropout": _dropout(fields) if dropout is None else dropout,
        "attention": attention,
        **GPT2_PARTS,
    }
    return GPTConfig.from_json(json.dumps(ours))  # which checks each type


def not_gpt2(config: GPTConfig) -> list[str]:
    """The parts of a configuration of ours that GPT-2 does not have, as a message names them."""
    other = [f"{name}={getattr(config, name)!r}" for name, part in GPT2_PARTS.items() if getattr(config, name) != part]
    other += [f"{place}_bias=False" for place, has in config.biases.items() if config.bias and not has]
    other += [f"n_kv_heads={config.n_kv_heads}"] if config.kv_heads != config.n_heads else []
    other += [f"d_head={config.d_head}"] if config.heads_width != config.d_model else []
    other += [f"n_experts={config.n_experts}"] if config.n_experts is not None else []
    return other + ([] if config.mlp in ACTIVATION_NAMES.values() else [f"mlp={config.mlp!r}"])


def hugging_face_fields(config: GPTConfig) -> dict[str, Any]:
    """The ``config.json`` of a model of ours that has GPT-2's parts."""
    theirs = {ours: name for name, ours in reversed(ACTIVATION_NAMES.items())}
    return {
        "architectures": ["GPT2LMHeadModel"],
        **{name: getattr(config, ours) for ours, name in SIZES.items()},
        "n_inner": config.d_hidden,
        "activation_function": theirs[config.mlp],
        "layer_norm_epsilon": config.norm_eps,
        "tie_word_embeddings": config.tied_head,
        **dict.fromkeys(DROPOUTS, config.dropout),
    }


def gpt2_places(config: GPTConfig) -> dict[str, Stored]:
    """Where each of our parameters is."""
    names = {
        f"transformer.h.{layer}.{theirs}": f"blocks.{layer}.{ours}"
        for layer in range(config.n_layers)
        for theirs, ours in BLOCK_TENSORS.items()
    }
    names = {**OUTER_TENSORS, **names, **({} if config.tied_head else {HEAD: "head.weight"})}
    return {ours: Stored((theirs,), transposed=bool(_TRANSPOSED.search(theirs))) for theirs, ours in names.items()}


def full_name(name: str) -> str:
    """A tensor's name with the ``transformer.`` before it, which OpenAI's file leaves out."""
    return name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"


def is_causal_mask(name: str) -> bool:
    """Whether a tensor is the table of what may be attended to, which older files hold beside the weights."""
    return _CAUSAL_MASK.search(name) is not None


def divide_queries(model: GPT, fields: dict[str, Any]) -> None:
    """Divide the queries of block l by l + 1, which divides its scores, where ``BY_LAYER`` asks for it.

    Args:
        model: with the weights of the file.
        fields: of its ``config.json``.
    """
    if not fields.get(BY_LAYER, False):
        return
    with torch.no_grad():
        for layer in range(model.config.n_layers):
            for leaf in ("weight", "bias"):
                rows = model.get_parameter(f"blocks.{layer}.attention.project_qkv.{leaf}")
                rows[: model.config.d_model] /= layer + 1  # those of the queries come first


def _dropout(fields: dict[str, Any]) -> float:
    rates = {name: fields.get(name, 0.1) for name in DROPOUTS}
    if any(rate != rates["embd_pdrop"] for rate in rates.values()):
        raise ValueError(
            f"its rates of dropout differ ({shown(rates)}), and this GPT has one; choose it with dropout=…"
        )
    return rates["embd_pdrop"]


GPT2_FORMAT = Format(
    title="GPT-2",
    gpt_config=gpt_config,
    lacking=not_gpt2,
    fields=hugging_face_fields,
    places=gpt2_places,
    head=HEAD,
    full_name=full_name,
    is_ignored=is_causal_mask,
    prepare=divide_queries,
)
