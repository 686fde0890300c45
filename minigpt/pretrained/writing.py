"""A model and its tokenizer into a folder that Hugging Face's libraries read, or into a GGUF file."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from minigpt.files.folder import update_folder
from minigpt.files.paths import as_path
from minigpt.files.text import utf_8
from minigpt.model import GPT, GPTConfig
from minigpt.pretrained.finite import check_finite
from minigpt.pretrained.formats import TRAIN_ANEW, Format
from minigpt.pretrained.gguf.writing import save_gguf
from minigpt.pretrained.gpt2 import GPT2_FORMAT
from minigpt.pretrained.llama import LLAMA_FORMATS
from minigpt.pretrained.weights import WEIGHTS
from minigpt.text import Tokenizer
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.text.tokenizers.hugging_face import hugging_face_files

#: Every format, by the ``model_type`` of its ``config.json``; the first that has all parts of a model is written.
FORMATS: dict[str, Format] = {"gpt2": GPT2_FORMAT, **LLAMA_FORMATS}
DEFAULT_END = 50256  # what transformers takes for the end of a text where the config.json of a GPT-2 says nothing
CARD = "README.md"


def save_pretrained(
    model: GPT, folder: Path | str, tokenizer: Tokenizer | None = None, card: str | None = None
) -> None:
    """Write a model and its tokenizer so that Hugging Face's libraries read them, or llama.cpp.

    The format is the first of GPT-2, Llama, Qwen2, Qwen3, Mistral and Mixtral that has all parts of the model; of a
    file ``….gguf``, the first of GGUF's architectures "llama", "qwen2", "qwen3", "qwen3moe" and
    "gpt2".

    Args:
        model: with the parts of one of the formats; see :func:`minigpt.pretrained.format_of`. Its weights are written
            in their own type.
        folder: made if need be. The files of an earlier model are replaced in one step and other files stay: a
            kill leaves the earlier model or this one. A path that ends in ``.gguf`` is that of a file.
        tokenizer: byte-level BPE, or in a folder characters and what the package ``tokenizers`` works; ``None`` writes
            the model alone.
        card: text of the model card, ``README.md``, or of the description in a GGUF file; ``None`` writes none.

    Raises:
        ImportError: if a GGUF file is asked for and the package ``gguf`` is not installed.
        ValueError: naming each part of the model that the nearest format does not have, or a weight that holds NaN or
            infinity; or if ``model`` is not a GPT or is a copy made by :func:`minigpt.for_generation`, the tokenizer is
            of another kind, ``card`` can't be written in UTF-8, or ``folder`` holds folders or can't be replaced for
            another reason.
        OSError: if the system refuses to write there; what was there is as it was.
    """
    folder = as_path(folder, "folder")
    _check_model(model)
    described = {} if card is None else {CARD: utf_8(card, "card")}
    if is_gguf(folder):
        return save_gguf(model, folder, tokenizer, card)
    kind = format_of(model.config)
    check_finite(model)
    chosen = FORMATS[kind]
    fields = {"model_type": kind, **chosen.fields(model.config)}
    ours = dict(model.named_parameters())
    tensors = {
        theirs: part.detach().cpu().contiguous().clone()
        for name, place in chosen.places(model.config).items()
        for theirs, part in place.parts(ours[name]).items()
    }
    fields["dtype"] = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    files = {} if tokenizer is None else _tokenizer_files(tokenizer, model.config.context_length)
    end = None if tokenizer is None else tokenizer.special_tokens.get(END_OF_TEXT)
    if tokenizer is not None or model.config.vocab_size <= DEFAULT_END:
        fields["bos_token_id"] = fields["eos_token_id"] = end
    files |= {WEIGHTS: safetensors.torch.save(tensors, {"format": "pt"}), "config.json": _as_bytes(fields), **described}
    update_folder(folder, files, f"{folder} is as it was; free some space and save the model again")


def format_of(config: GPTConfig) -> str:
    """The format that :func:`minigpt.save_pretrained` writes: "gpt2", "llama", "qwen2", "qwen3", "mistral", "mixtral".

    Args:
        config: of the model.

    Raises:
        ValueError: if none has all parts of the model; it names what the nearest lacks.
    """
    lacking = {kind: chosen.lacking(config) for kind, chosen in FORMATS.items()}
    nearest = min(lacking, key=lambda kind: len(lacking[kind]))
    if not lacking[nearest]:
        return nearest
    hint = "; it takes the parts of recipe 'gpt2'" if nearest == "gpt2" else ""
    raise ValueError(
        f"{FORMATS[nearest].title}'s format has no place for {', '.join(lacking[nearest])}{hint}"
        + ("" if nearest == "gpt2" else f", and the other formats have places for fewer parts of it; {TRAIN_ANEW}")
    )


def is_gguf(path: Path) -> bool:
    """Whether a path is that of a GGUF file, by its name; a folder may have such a name, too.

    Args:
        path: where a model is, or where it is written.
    """
    return path.suffix == ".gguf" and not path.is_dir()


def _check_model(model: object) -> None:
    if not isinstance(model, GPT):
        raise ValueError(f"model is a {type(model).__name__}; pass the GPT that is to be written")
    if not isinstance(model.head.weight, nn.Parameter):
        raise ValueError(
            "the model is a copy made by for_generation, which only writes; save the model that it was made from"
        )


def _tokenizer_files(tokenizer: Tokenizer, context_length: int) -> dict[str, bytes]:
    files = hugging_face_files(tokenizer, context_length)
    return {name: _as_bytes(value) for name, value in files.items()}


def _as_bytes(value: dict[str, Any]) -> bytes:
    return utf_8(json.dumps(value, indent=2, ensure_ascii=False), "the tokenizer")
