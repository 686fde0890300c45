"""A folder of Hugging Face: ``config.json`` and the weights in ``model.safetensors``, or in shards with an index.

Every tensor is accounted for. One that is missing, left over or of another shape is an error that names it: a model
that loads is the model that was saved.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from minigpt.files.folder import update_folder
from minigpt.files.json_object import read_object
from minigpt.files.paths import as_path
from minigpt.model import GPT, GPTConfig
from minigpt.model.initialisation import shapes_alone
from minigpt.pretrained import gpt2
from minigpt.pretrained.weights import CONFIG_LIMIT, WEIGHTS, StoredTensor, stored_tensors
from minigpt.text import Tokenizer, load_tokenizer
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.text.tokenizers.hugging_face import hugging_face_files

DEFAULT_END = 50256  # what transformers takes for the end of a text where config.json says nothing


def load_folder(
    folder: Path | str,
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
    attention: str = "auto",
) -> tuple[GPT, Tokenizer]:
    """The GPT-2 and the tokenizer in a folder of Hugging Face, as :func:`minigpt.load_model` returns those of a run.

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
    """The GPT-2 in a folder of Hugging Face, on the CPU and in evaluation mode; its tokenizer is not read.

    Args:
        folder: holds ``config.json`` and ``model.safetensors``, or several ``.safetensors`` with an index.
        dtype: of the model, whatever the type in the file.
        dropout: the share of activations dropped in training; ``None`` takes the file's.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: if a file is missing or can't be read, the model is of another kind than GPT-2, or a tensor is
            missing, left over, of another shape or not finite; it names the field or the tensor.
    """
    folder = as_path(folder, "folder")
    fields = _read_fields(folder)
    config = _config_of(folder, fields, dropout=dropout, attention=attention)
    stored = _by_full_name(folder, gpt2.tensor_names(config))  # first: a forged number of blocks takes minutes to build
    with shapes_alone():  # the weights come from the file
        model = GPT(config)
    _read_weights(folder, stored, model, dtype)
    if fields.get(gpt2.BY_LAYER, False):
        gpt2.divide_queries(model)
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
        return gpt2.gpt_config(fields, dropout=dropout, attention=attention)
    except ValueError as error:
        raise ValueError(f"{folder / 'config.json'} can't be used: {error}") from None


def save_pretrained(model: GPT, folder: Path | str, tokenizer: Tokenizer | None = None) -> None:
    """Write a model with GPT-2's parts, and its tokenizer, so that Hugging Face's libraries read them.

    Args:
        model: with learned positions, LayerNorm before each branch, and biases; see the recipe "gpt2".
        folder: made if need be. The files of an earlier model are replaced in one step and other files stay: a
            kill leaves the earlier model or this one.
        tokenizer: byte-level BPE or characters; ``None`` writes the model alone.

    Raises:
        ValueError: naming each part of the model that GPT-2 does not have, or if the tokenizer is of another kind, or
            ``folder`` holds folders or can't be replaced for another reason.
    """
    folder = as_path(folder, "folder")
    fields = gpt2.hugging_face_fields(model.config)
    ours = dict(model.named_parameters())
    names = gpt2.tensor_names(model.config)
    tensors = {theirs: gpt2.transpose(theirs, ours[name].detach()).cpu().contiguous() for theirs, name in names.items()}
    fields["dtype"] = str(tensors["transformer.wte.weight"].dtype).removeprefix("torch.")
    files = {} if tokenizer is None else _tokenizer_files(tokenizer, model.config.context_length)
    end = None if tokenizer is None else tokenizer.special_tokens.get(END_OF_TEXT)
    if tokenizer is not None or model.config.vocab_size <= DEFAULT_END:
        fields["bos_token_id"] = fields["eos_token_id"] = end
    files |= {WEIGHTS: safetensors.torch.save(tensors, {"format": "pt"}), "config.json": _as_bytes(fields)}
    update_folder(folder, files, f"{folder} is as it was; free some space and save the model again")


def _tokenizer_files(tokenizer: Tokenizer, context_length: int) -> dict[str, bytes]:
    files = hugging_face_files(tokenizer, context_length)
    return {name: _as_bytes(value) for name, value in files.items()}


def _read_weights(folder: Path, stored: dict[str, StoredTensor], model: GPT, dtype: torch.dtype) -> None:
    """Give each parameter of a model without storage its tensor from the folder."""
    names, ours = gpt2.tensor_names(model.config), dict(model.named_parameters())
    for theirs, name in names.items():
        wanted = tuple(gpt2.transpose(theirs, ours[name]).shape)
        shape, kind = stored[theirs].shape_and_type()
        if shape != wanted or "F" not in kind:
            raise ValueError(
                f"{folder}: the tensor {stored[theirs].name} has shape {shape} and type {kind}; by its config.json it "
                f"should have shape {wanted} and floating point"
            )
        tensor = gpt2.transpose(theirs, stored[theirs].read()).to(dtype, copy=True).contiguous()
        if not tensor.isfinite().all():
            raise ValueError(f"{folder}: the tensor {stored[theirs].name} holds NaN or infinity as {dtype}")
        _set_parameter(model, name, tensor)
    if model.config.tied_head:
        embedding = model.head.weight = model.token_embedding.weight
        if gpt2.HEAD in stored and not torch.equal(stored[gpt2.HEAD].read().to(dtype), embedding):
            raise ValueError(
                f"{folder} holds a {gpt2.HEAD} that is not wte.weight, where its config.json says that they are one "
                '("tie_word_embeddings"); mend config.json'
            )


def _by_full_name(folder: Path, names: dict[str, str]) -> dict[str, StoredTensor]:
    """The tensors of the folder, neither more nor fewer than ``names``; a tied head may be there too."""
    stored: dict[str, StoredTensor] = {}
    for tensor in stored_tensors(folder):
        full = gpt2.full_name(tensor.name)
        if gpt2.is_causal_mask(full):
            continue
        if full in stored or full not in {*names, gpt2.HEAD}:
            twice = f", and {stored[full].name} is the same" if full in stored else ""
            raise ValueError(f"{folder}: the tensor {tensor.name} has no place in the model{twice}")
        stored[full] = tensor
    if missing := [name for name in names if name not in stored]:
        raise ValueError(f"{folder} lacks the tensor {missing[0]} ({len(missing)} missing in all)")
    return stored


def _set_parameter(model: nn.Module, name: str, tensor: Tensor) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, nn.Parameter(tensor))


def _as_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
