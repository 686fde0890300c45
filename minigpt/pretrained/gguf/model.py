r"""A model in a GGUF file: which of its fields and tensors is which of ours.

Only the architecture ``llama`` is read: RMSNorm, rotary positions, SwiGLU, no biases. llama.cpp rotates neighbouring
coordinates, (2i, 2i+1), and its files hold the rows of the query and key matrices in that order. Hugging Face, and
``position="rope-half"`` here, rotate coordinates half a head apart, (i, i+E/2): the rows are put back in that order. A
model whose rows are in the wrong order still writes words, so tests compare its logits.

Dimensions: D model width, H query heads, G key/value heads, E head width, L layers.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from minigpt.files.paths import as_path
from minigpt.model import GPT, GPTConfig
from minigpt.model.initialisation import shapes_alone
from minigpt.pretrained.gguf.file import GGUFFile, open_gguf
from minigpt.settings import shown

ARCHITECTURE = "llama"
SIZE_FIELDS = {
    "context_length": "context_length",
    "d_model": "embedding_length",
    "n_layers": "block_count",
    "n_heads": "attention.head_count",
    "d_hidden": "feed_forward_length",
}
# Fields that say again what others say, or what our model does in any case.
REPEATED_FIELDS = {
    "vocab_size",
    "rope.dimension_count",
    "attention.key_length",
    "attention.value_length",
    "rope.scaling.type",
}
GGUF_FIELDS = {
    *SIZE_FIELDS.values(),
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "rope.freq_base",
    *REPEATED_FIELDS,
}

GGUF_PARTS: dict[str, Any] = {"position": "rope-half", "norm": "rms", "mlp": "swiglu", "bias": False}

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
QKV_PARTS = ("attn_q", "attn_k", "attn_v")
GGUF_BLOCK_TENSORS = {
    "attn_norm.weight": "norm_1.gain",
    "attn_output.weight": "attention.project_out.weight",
    "ffn_norm.weight": "norm_2.gain",
    "ffn_gate.weight": "mlp.gate.weight",
    "ffn_up.weight": "mlp.expand.weight",
    "ffn_down.weight": "mlp.contract.weight",
}


def half_split_rows(weight: Tensor, n_heads: int) -> Tensor:
    """The rows of a query or key matrix, from pairs of neighbours to pairs half a head apart.

    Args:
        weight: ``(H E, D)``; in each head row 2i is the first coordinate of pair i, and row 2i+1 the second.
        n_heads: H, or G for keys.

    Returns:
        ``(H E, D)``; in each head row i is the first coordinate of pair i, and row i+E/2 the second.
    """
    return rearrange(weight, "(h i two) d -> (h two i) d", h=n_heads, two=2)


def neighbouring_rows(weight: Tensor, n_heads: int) -> Tensor:
    """What :func:`half_split_rows` undoes; same arguments."""
    return rearrange(weight, "(h two i) d -> (h i two) d", h=n_heads, two=2)


def gguf_config(path: Path | str, *, dropout: float = 0.0, attention: str = "auto") -> GPTConfig:
    """The configuration of the model in a GGUF file.

    Args:
        path: the file.
        dropout: share of activations dropped in training; a file says nothing about it.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: if the file is damaged, or asks for what our GPT does not do; the field is named.
    """
    with open_gguf(as_path(path, "path")) as file:
        return config_of_file(file, dropout=dropout, attention=attention)


def gguf_model(
    path: Path | str, *, dtype: torch.dtype = torch.float32, dropout: float = 0.0, attention: str = "auto"
) -> GPT:
    """The model in a GGUF file, its weights no longer quantized, on the CPU and in evaluation mode.

    Args:
        path: the file.
        dtype: of the model, whatever the types in the file.
        dropout: share of activations dropped in training; a file says nothing about it.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: if the file is damaged, its model is of another architecture than "llama" or has parts that our GPT
            does not have, or a tensor is missing, left over, of another shape or not finite; it is named.
    """
    with open_gguf(as_path(path, "path")) as file:
        return model_in(file, config_of_file(file, dropout=dropout, attention=attention), dtype)


def config_of_file(file: GGUFFile, *, dropout: float, attention: str) -> GPTConfig:
    """As :func:`gguf_config`, of an open file.

    Args:
        file: open.
        dropout: share of activations dropped in training.
        attention: how it is computed.

    Raises:
        ValueError: naming the field that is missing, wrong, or asks for what our GPT does not do.
    """
    architecture = file.fields.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise ValueError(f"its architecture is {shown(architecture)}; only {ARCHITECTURE!r} can be read")
    fields = {
        name.removeprefix(f"{ARCHITECTURE}."): value
        for name, value in file.fields.items()
        if name.startswith(f"{ARCHITECTURE}.")
    }
    _check_fields(fields)
    config = GPTConfig(
        vocab_size=_rows(file, EMBEDDING),
        **{ours: fields[theirs] for ours, theirs in SIZE_FIELDS.items()},
        n_kv_heads=fields.get("attention.head_count_kv"),
        norm_eps=_shortest(fields.get("attention.layer_norm_rms_epsilon", 1e-5)),
        rope_base=_shortest(fields.get("rope.freq_base", 10000.0)),
        tied_head=OUTPUT not in file.entries,
        dropout=dropout,
        attention=attention,  # type: ignore[arg-type]
        **GGUF_PARTS,
    )
    _check_repeated(fields, config)
    return config


def model_in(file: GGUFFile, config: GPTConfig, dtype: torch.dtype) -> GPT:
    """As :func:`gguf_model`, of an open file.

    Args:
        file: open.
        config: of the file.
        dtype: of the model.

    Raises:
        ValueError: if a tensor is missing, left over, of another shape or not finite.
    """
    sources = tensor_sources(config)
    _check_names(file, sources)  # first: a forged number of blocks takes minutes to build
    with shapes_alone():  # the weights come from the file
        model = GPT(config)
    for name, parameter in list(model.named_parameters()):
        tensor = torch.cat([_read(file, theirs, config) for theirs in sources[name]]).to(dtype)
        if tensor.shape != parameter.shape:
            raise ValueError(
                f"{' with '.join(sources[name])} has shape {tuple(tensor.shape)}; by its fields it should have "
                f"{tuple(parameter.shape)}"
            )
        if not tensor.isfinite().all():
            raise ValueError(f"the tensor {sources[name][0]} holds NaN or infinity as {dtype}")
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, nn.Parameter(tensor))
    if config.tied_head:
        model.head.weight = model.token_embedding.weight
    return model.eval()


def tensor_sources(config: GPTConfig) -> dict[str, tuple[str, ...]]:
    """The tensors of a file whose rows, one after another, are each parameter of ours, by its name.

    Args:
        config: of the model.
    """
    sources: dict[str, tuple[str, ...]] = {"token_embedding.weight": (EMBEDDING,), "norm.gain": ("output_norm.weight",)}
    sources |= {} if config.tied_head else {"head.weight": (OUTPUT,)}
    for layer in range(config.n_layers):
        qkv = tuple(f"blk.{layer}.{part}.weight" for part in QKV_PARTS)
        sources[f"blocks.{layer}.attention.project_qkv.weight"] = qkv
        sources |= {f"blocks.{layer}.{ours}": (f"blk.{layer}.{theirs}",) for theirs, ours in GGUF_BLOCK_TENSORS.items()}
    return sources


def _read(file: GGUFFile, name: str, config: GPTConfig) -> Tensor:
    tensor = file.tensor(name)
    heads = {"attn_q": config.n_heads, "attn_k": config.kv_heads}.get(name.split(".")[-2])
    if heads is None:
        return tensor
    if tensor.shape != (expected := (heads * config.head_width, config.d_model)):
        raise ValueError(f"the tensor {name} has shape {tuple(tensor.shape)}; by its fields it should have {expected}")
    return half_split_rows(tensor, heads)


def _check_names(file: GGUFFile, sources: dict[str, tuple[str, ...]]) -> None:
    expected = {name for names in sources.values() for name in names}
    if missing := sorted(expected - file.entries.keys()):
        raise ValueError(f"it lacks the tensor {missing[0]} ({len(missing)} missing in all)")
    if others := sorted(file.entries.keys() - expected):
        why = ", which scales rotary positions" if others[0].startswith("rope_") else ""
        raise ValueError(f"its tensor {others[0][:100]}{why} has no place in the model ({len(others)} such in all)")


def _check_fields(fields: dict[str, Any]) -> None:
    if missing := [name for name in SIZE_FIELDS.values() if name not in fields]:
        raise ValueError(f"it lacks the field {ARCHITECTURE}.{missing[0]}")
    empty = {"", "none", 0}  # a file may say at length that it has no experts
    for name, value in fields.items():
        if isinstance(value, list | np.ndarray):
            raise ValueError(f"{ARCHITECTURE}.{name} has a value for each layer; only one for all can be read")
        if name not in GGUF_FIELDS and value not in empty:
            raise ValueError(f"{ARCHITECTURE}.{name} is {shown(value)}, which this GPT does not do")


def _check_repeated(fields: dict[str, Any], config: GPTConfig) -> None:
    expected = {
        "vocab_size": config.vocab_size,
        "rope.dimension_count": config.head_width,
        "attention.key_length": config.head_width,
        "attention.value_length": config.head_width,
        "rope.scaling.type": "none",
    }
    for name, value in expected.items():
        if (given := fields.get(name, value)) != value:
            raise ValueError(f"{ARCHITECTURE}.{name} is {shown(given)}, where this GPT has {value!r}")


def _rows(file: GGUFFile, name: str) -> int:
    if name not in file.entries:
        raise ValueError(f"it lacks the tensor {name}")
    return file.shape(name)[0]


def _shortest(value: Any) -> Any:
    """The shortest decimal number that is this number in float32, as the file has it: 1e-5, not 9.99999974e-06."""
    return float(str(np.float32(value))) if isinstance(value, float) else value
