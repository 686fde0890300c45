"""A folder of Hugging Face: ``config.json`` and the weights in ``model.safetensors``, or in shards with an index.

Every tensor is accounted for. One that is missing, left over or of another shape is an error that names it: a model
that loads is the model that was saved.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.files.json_object import read_object
from minigpt.files.paths import as_path
from minigpt.model import GPT, GPTConfig
from minigpt.model.initialisation import shapes_alone
from minigpt.pretrained.formats import Format, Stored
from minigpt.pretrained.weights import CONFIG_LIMIT, StoredTensor, stored_tensors
from minigpt.pretrained.writing import FORMATS
from minigpt.settings import shown
from minigpt.text import Tokenizer, load_tokenizer

FLOATING = ("F16", "BF16", "F32", "F64")


def load_folder(
    folder: Path | str,
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
    attention: str = "auto",
) -> tuple[GPT, Tokenizer]:
    """The model and the tokenizer in a folder of Hugging Face, as :func:`minigpt.load_model` returns those of a run.

    Args:
        folder: holds ``config.json``; ``model.safetensors``, or several ``.safetensors`` with an index; and
            ``tokenizer.json``, or ``vocab.json`` and ``merges.txt``. :func:`pretrained_model` reads one without
            tokenizer.
        dtype: of the model, whatever the type in the file.
        dropout: the share of activations dropped in training; ``None`` takes the file's.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Returns:
        The model, on the CPU and in evaluation mode, and its tokenizer.

    Raises:
        ValueError: as :func:`pretrained_model`, or if the folder has no tokenizer that can be used.
    """
    folder = as_path(folder, "folder")
    _read_fields(folder)  # a folder that is not there is not one without a tokenizer
    try:
        tokenizer = load_tokenizer(folder)
    except ValueError as error:
        raise ValueError(
            f"{error}; minigpt.pretrained.pretrained_model(folder) loads the model without a tokenizer"
        ) from None
    return pretrained_model(folder, dtype=dtype, dropout=dropout, attention=attention), tokenizer


def pretrained_model(
    folder: Path | str,
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
    attention: str = "auto",
) -> GPT:
    """The model in a folder of Hugging Face, on the CPU and in evaluation mode; its tokenizer is not read.

    Args:
        folder: holds ``config.json`` and ``model.safetensors``, or several ``.safetensors`` with an index.
        dtype: of the model, whatever the type in the file.
        dropout: the share of activations dropped in training; ``None`` takes the file's.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: if a file is missing or can't be read, the model is of a kind that is not known, or a tensor is
            missing, left over, of another shape or not finite; it names the field or the tensor.
    """
    folder = as_path(folder, "folder")
    fields = _read_fields(folder)
    config = _config_of(folder, fields, dropout=dropout, attention=attention)
    kind = _format_of(fields)
    places = kind.places(config)
    stored = _by_full_name(folder, kind, places)  # first: a forged number of blocks takes minutes to build
    with shapes_alone():  # the weights come from the file
        model = GPT(config)
    _read_weights(folder, stored, model, places, dtype)
    if config.tied_head:
        _tie(folder, stored, kind, model, dtype)
    kind.prepare(model, fields)
    return model.eval()


def pretrained_config(folder: Path | str, *, dropout: float | None = None, attention: str = "auto") -> GPTConfig:
    """The configuration of the model that :func:`pretrained_model` would load.

    Args:
        folder: in the format of Hugging Face.
        dropout: in place of the folder's own; ``None`` keeps that.
        attention: how it is computed.

    Raises:
        ValueError: if there is no such folder, or its ``config.json`` is missing or asks for what our GPT does not do.
    """
    folder = as_path(folder, "folder")
    return _config_of(folder, _read_fields(folder), dropout=dropout, attention=attention)


def _read_fields(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder; nothing is downloaded here: get it once, for instance with "
            f"`hf download {folder} --local-dir {folder.name}`, and give that folder"
        )
    return read_object(folder / "config.json", limit=CONFIG_LIMIT)


def _config_of(folder: Path, fields: dict[str, Any], *, dropout: float | None, attention: str) -> GPTConfig:
    try:
        return _format_of(fields).gpt_config(fields, dropout, attention)
    except ValueError as error:
        raise ValueError(f"{folder / 'config.json'} can't be used: {error}") from None


def _format_of(fields: dict[str, Any]) -> Format:
    kind = fields.get("model_type", "gpt2")
    if not isinstance(kind, str) or kind not in FORMATS:
        raise ValueError(
            f"model_type is {shown(kind)}, which this GPT does not do; {', '.join(map(repr, FORMATS))} can be loaded"
        )
    return FORMATS[kind]


def _read_weights(
    folder: Path, stored: dict[str, StoredTensor], model: GPT, places: dict[str, Stored], dtype: torch.dtype
) -> None:
    """Give each parameter of a model without storage its tensors from the folder."""
    ours = dict(model.named_parameters())
    for name, place in places.items():
        wanted = {theirs: tuple(part.shape) for theirs, part in place.parts(ours[name]).items()}
        parts = [_read(folder, stored[theirs], shape, dtype) for theirs, shape in wanted.items()]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts)
        _set_parameter(model, name, (whole.t() if place.transposed else whole).contiguous())


def _read(folder: Path, tensor: StoredTensor, wanted: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    shape, kind = tensor.shape_and_type()
    if shape != wanted or kind not in FLOATING:
        raise ValueError(
            f"{folder}: the tensor {tensor.name} has shape {shape} and type {kind}; by its config.json it should have "
            f"shape {wanted} and floating point"
        )
    numbers = tensor.read().to(dtype, copy=True)
    if not numbers.isfinite().all():
        raise ValueError(f"{folder}: the tensor {tensor.name} holds NaN or infinity as {dtype}")
    return numbers


def _tie(folder: Path, stored: dict[str, StoredTensor], kind: Format, model: GPT, dtype: torch.dtype) -> None:
    embedding = model.head.weight = model.token_embedding.weight
    if kind.head in stored and not torch.equal(stored[kind.head].read().to(dtype), embedding):
        name = kind.places(model.config)["token_embedding.weight"].names[0].rpartition("transformer.")[2]
        raise ValueError(
            f"{folder} holds a {kind.head} that is not {name}, where its config.json says that they are one "
            '("tie_word_embeddings"); correct config.json'
        )


def _by_full_name(folder: Path, kind: Format, places: dict[str, Stored]) -> dict[str, StoredTensor]:
    """The tensors of the folder, neither more nor fewer than those of ``places``; a tied head may be there too."""
    names = [name for place in places.values() for name in place.names]
    known = {*names, kind.head}
    stored: dict[str, StoredTensor] = {}
    for tensor in stored_tensors(folder):
        full = kind.full_name(tensor.name)
        if kind.is_ignored(full):
            continue
        if full in stored or full not in known:
            twice = f", and {stored[full].name} is the same" if full in stored else ""
            raise ValueError(f"{folder}: the tensor {tensor.name} has no place in the model{twice}")
        stored[full] = tensor
    if missing := [name for name in names if name not in stored]:
        raise ValueError(f"{folder} lacks the tensor {missing[0]} ({len(missing)} missing in all)")
    return stored


def _set_parameter(model: nn.Module, name: str, tensor: Tensor) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, nn.Parameter(tensor))
