"""A model in a GGUF file: its fields become our configuration, and its tensors our parameters.

The architectures "llama", "qwen2", "qwen3", "qwen3moe" and "gpt2" are read; see
:mod:`minigpt.pretrained.gguf.architectures`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minigpt.files.paths import as_path
from minigpt.model import GPT, GPTConfig
from minigpt.model.initialisation import shapes_alone
from minigpt.pretrained.gguf.architectures import (
    ARCHITECTURES,
    EMBEDDING,
    EXPERT_STACKS,
    EXPERT_WIDTH,
    KEY_LENGTH,
    KV_HEADS,
    N_ACTIVE,
    N_EXPERTS,
    OUTPUT,
    ROPE_BASE,
    SIZE_FIELDS,
    Architecture,
    half_split_rows,
)
from minigpt.pretrained.gguf.file import GGUFFile, open_gguf
from minigpt.pretrained.gguf.rope import DIVISORS, scaling_of_fields
from minigpt.settings import shown


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
    architecture = _architecture(file)
    prefix = f"{architecture.name}."
    fields = {name.removeprefix(prefix): value for name, value in file.fields.items() if name.startswith(prefix)}
    _check_fields(architecture, fields)
    rope = _rope(file, architecture, fields) if architecture.rotates else {}
    config = GPTConfig(
        vocab_size=_rows(file, EMBEDDING),
        **{ours: fields[theirs] for ours, theirs in SIZE_FIELDS.items() if ours != "d_hidden"},
        n_kv_heads=fields.get(KV_HEADS),
        d_head=fields.get(KEY_LENGTH),
        norm_eps=_shortest(fields.get(architecture.eps, 1e-5)),
        tied_head=OUTPUT not in file.entries,
        dropout=dropout,
        attention=attention,  # type: ignore[arg-type]
        **rope,
        **_experts(file, architecture, fields),
        **architecture.our_parts,
    )
    _check_repeated(file, architecture, fields, config)
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
    architecture = _architecture(file)
    _check_names(file, architecture, config)  # first: a forged number of blocks takes minutes to build
    with shapes_alone():  # the weights come from the file
        model = GPT(config)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    for name, read, theirs in _weights(file, architecture, config):
        tensor = read.to(dtype)
        if tensor.shape != shapes[name]:
            raise ValueError(f"{theirs} has shape {tuple(tensor.shape)}; by its fields it should have {shapes[name]}")
        if not tensor.isfinite().all():
            raise ValueError(f"the tensor {theirs.split()[0]} holds NaN or infinity as {dtype}")
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, nn.Parameter(tensor))
    if config.tied_head:
        model.head.weight = model.token_embedding.weight
    return model.eval()


def _architecture(file: GGUFFile) -> Architecture:
    name = file.fields.get("general.architecture")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ValueError(f"its architecture is {shown(name)}; expected one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def _read(file: GGUFFile, architecture: Architecture, name: str, config: GPTConfig) -> Tensor:
    tensor, heads = file.tensor(name), architecture.permuted_heads(name, config)
    if heads is None:
        return tensor
    if tensor.shape != (expected := (heads * config.head_width, config.d_model)):
        raise ValueError(f"the tensor {name} has shape {tuple(tensor.shape)}; by its fields it should have {expected}")
    return half_split_rows(tensor, heads)


def _rope(file: GGUFFile, architecture: Architecture, fields: dict[str, Any]) -> dict[str, Any]:
    """Our settings of the rotary positions."""
    given = {name: _shortest(value) for name, value in fields.items()}
    base = given.get(ROPE_BASE, 10000.0)
    divisors = file.tensor(DIVISORS) if architecture.divides_frequencies and DIVISORS in file.entries else None
    return {"rope_base": base, **scaling_of_fields(given, divisors, base)}


def _experts(file: GGUFFile, architecture: Architecture, fields: dict[str, Any]) -> dict[str, Any]:
    """Our settings of the MLPs: their width, and how many of them a block has."""
    width = EXPERT_WIDTH if architecture.experts == "always" else SIZE_FIELDS["d_hidden"]
    if architecture.experts == "never" or (architecture.experts == "maybe" and fields.get(N_EXPERTS, 0) == 0):
        return {"d_hidden": fields[width]}
    if missing := [name for name in (N_EXPERTS, N_ACTIVE, width) if name not in fields]:
        raise ValueError(f"it lacks the field {architecture.name}.{missing[0]}")
    for name in EXPERT_STACKS:  # first: a forged number takes any memory
        if (n := fields[N_EXPERTS]) != (found := _rows(file, f"blk.0.{name}")):
            raise ValueError(f"{architecture.name}.{N_EXPERTS} is {shown(n)}, and blk.0.{name} has {found}")
    return {"d_hidden": fields[width], "n_experts": fields[N_EXPERTS], "n_active_experts": fields[N_ACTIVE]}


def _weights(file: GGUFFile, architecture: Architecture, config: GPTConfig) -> Iterator[tuple[str, Tensor, str]]:
    """The name of each parameter of ours, what the file holds of it, and where."""
    for ours, names in architecture.sources(config).items():
        yield ours, torch.cat([_read(file, architecture, name, config) for name in names]), " with ".join(names)
    for theirs, experts in architecture.stacks(config).items():
        if (found := file.shape(theirs)[0]) != len(experts):
            raise ValueError(f"the tensor {theirs} has {found} experts; by its fields it should have {len(experts)}")
        for ours, part in zip(experts, file.tensor(theirs), strict=True):
            yield ours, part.clone(), theirs


def _check_names(file: GGUFFile, architecture: Architecture, config: GPTConfig) -> None:
    expected = {name for names in architecture.sources(config).values() for name in names}
    expected |= {*architecture.stacks(config), *([DIVISORS] if config.rope_scaling == "llama3" else [])}
    if missing := sorted(expected - file.entries.keys()):
        raise ValueError(f"it lacks the tensor {missing[0]} ({len(missing)} missing in all)")
    if others := sorted(file.entries.keys() - expected):
        why = ", which scales rotary positions" if others[0].startswith("rope_") else ""
        raise ValueError(f"its tensor {others[0][:100]}{why} has no place in the model ({len(others)} such in all)")


def _check_fields(architecture: Architecture, fields: dict[str, Any]) -> None:
    if missing := [name for name in SIZE_FIELDS.values() if name not in fields]:
        raise ValueError(f"it lacks the field {architecture.name}.{missing[0]}")
    empty = {"", "none", 0}  # a file may say at length that it has no experts
    for name, value in fields.items():
        if isinstance(value, list | np.ndarray):
            raise ValueError(f"{architecture.name}.{name} has a value for each layer; only one for all can be read")
        if name not in architecture.known and value not in empty:
            raise ValueError(f"{architecture.name}.{name} is {shown(value)}, which this GPT does not do")


def _check_repeated(file: GGUFFile, architecture: Architecture, fields: dict[str, Any], config: GPTConfig) -> None:
    widths = dict.fromkeys(
        ("rope.dimension_count", "attention.key_length", "attention.value_length"), config.head_width
    )
    expected = {"vocab_size": config.vocab_size, **widths}
    if config.rope_scaling == "llama3" and file.shape(DIVISORS) != (half := (config.head_width // 2,)):
        raise ValueError(f"the tensor {DIVISORS} has shape {file.shape(DIVISORS)}; by its fields it should have {half}")
    for name, value in expected.items():
        if (given := fields.get(name, value)) != value:
            raise ValueError(f"{architecture.name}.{name} is {shown(given)}, where this GPT has {value!r}")


def _rows(file: GGUFFile, name: str) -> int:
    if name not in file.entries:
        raise ValueError(f"it lacks the tensor {name}")
    return file.shape(name)[0]


def _shortest(value: Any) -> Any:
    """The shortest decimal number that is this number in float32, as the file has it: 1e-5, not 9.99999974e-06."""
    return float(str(np.float32(value))) if isinstance(value, float) else value
