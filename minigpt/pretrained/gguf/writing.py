"""A model and its tokenizer as a GGUF file, which llama.cpp and the programs built on it run.

The first of the architectures "llama", "qwen2", "qwen3", "qwen3moe" and "gpt2" that has all parts of the model is
written. Matrices keep their type, float32, float16 or bfloat16; what has one axis, such as the gains of the norms, is
float32, as those programs need it. Nothing is quantized.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minigpt.files.atomic import whole_file
from minigpt.files.paths import as_path
from minigpt.files.text import utf_8
from minigpt.model import GPT, GPTConfig
from minigpt.pretrained.finite import check_finite
from minigpt.pretrained.formats import TRAIN_ANEW
from minigpt.pretrained.gguf.architectures import (
    ARCHITECTURES,
    EXPERT_WIDTH,
    KEY_LENGTH,
    KV_HEADS,
    N_ACTIVE,
    N_EXPERTS,
    ROPE_BASE,
    SIZE_FIELDS,
    Architecture,
    neighbouring_rows,
)
from minigpt.pretrained.gguf.file import gguf_package
from minigpt.pretrained.gguf.rope import DIVISORS, rope_divisors, rope_scaling_fields
from minigpt.pretrained.gguf.tokenizer_fields import NO_TOKENIZER, tokenizer_fields
from minigpt.pretrained.gpt2 import GPT2_FORMAT
from minigpt.pretrained.llama import LLAMA_FORMATS
from minigpt.text import Tokenizer

#: By the type of the matrices: its name in the package ``gguf``, and the number of the whole file's type.
GGUF_DTYPES = {torch.float32: ("F32", 0), torch.float16: ("F16", 1), torch.bfloat16: ("BF16", 32)}
DESCRIPTION = "general.description"
IN_FLOAT32 = ("position_embd.weight",)  # beside what has one axis


def save_gguf(model: GPT, path: Path, tokenizer: Tokenizer | None = None, card: str | None = None) -> None:
    """Write a model and its tokenizer to a GGUF file, whole or not at all.

    Args:
        model: with the parts of one of the architectures, in float32, float16 or bfloat16.
        path: of the file, which is replaced if it exists.
        tokenizer: byte-level BPE; ``None`` writes the model alone.
        card: what ``general.description`` says; ``None`` leaves it out.

    Raises:
        ValueError: naming each part of the model that the nearest architecture does not have, or a weight that holds
            NaN or infinity; or if the type of its weights, its tokenizer or ``card`` can't be written, or ``path`` is
            that of a folder.
        ImportError: if the package ``gguf`` is not installed; it says how to install it.
        OSError: if the system refuses to write there; what was there is as it was.
    """
    path, architecture, package = as_path(path, "path"), architecture_of(model.config), gguf_package()
    check_finite(model)
    dtype = model.token_embedding.weight.dtype
    if dtype not in GGUF_DTYPES:
        raise ValueError(f"the weights are {dtype}; a GGUF file holds float32, float16 or bfloat16: model.float()")
    words = NO_TOKENIZER if tokenizer is None else tokenizer_fields(tokenizer, model.config.vocab_size)
    name = path.stem.encode(errors="replace").decode()  # of a file whose name is no text
    about = {"general.name": name, "general.file_type": GGUF_DTYPES[dtype][1], DESCRIPTION: card}
    fields = {**about, **_fields(architecture, model.config), **words}
    _check_texts(fields)
    with whole_file(path) as partial:
        writer = package.GGUFWriter(partial, architecture.name)
        try:
            for field, value in fields.items():
                _add_field(writer, field, value)
            for name, tensor in _tensors(architecture, model):
                keeps = tensor.dim() > 1 and name not in IN_FLOAT32
                kind = package.GGMLQuantizationType[GGUF_DTYPES[dtype if keeps else torch.float32][0]]
                raw = tensor.contiguous() if keeps else tensor.float().contiguous()
                writer.add_tensor(name, raw.view(torch.uint8).numpy(), raw_dtype=kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        except OSError as error:
            _refused_again(partial, error)
            raise
        finally:
            writer.close()


def architecture_of(config: GPTConfig) -> Architecture:
    """The architecture of GGUF that a model of ours is written as.

    Args:
        config: of the model.

    Raises:
        ValueError: if none has all parts of the model; it names what the nearest lacks.
    """
    lacking = {name: each.lacking(config) for name, each in ARCHITECTURES.items()}
    nearest = min(lacking, key=lambda name: len(lacking[name]))
    if lacking[nearest]:
        has_folder = not all(each.lacking(config) for each in (GPT2_FORMAT, *LLAMA_FORMATS.values()))
        instead = "write a folder, whose name does not end in .gguf, which can hold it" if has_folder else TRAIN_ANEW
        raise ValueError(
            f"GGUF's architecture {nearest!r} has no place for {', '.join(lacking[nearest])}, and "
            f"{', '.join(name for name in ARCHITECTURES if name != nearest)} have places for fewer parts of it; "
            + instead
        )
    return ARCHITECTURES[nearest]


def _fields(architecture: Architecture, config: GPTConfig) -> dict[str, Any]:
    fields: dict[str, Any] = {theirs: getattr(config, ours) for ours, theirs in SIZE_FIELDS.items()}
    fields |= {"feed_forward_length": config.hidden_width, "vocab_size": config.vocab_size}
    fields |= {KV_HEADS: config.kv_heads, architecture.eps: float(config.norm_eps)}
    if config.n_experts is not None:
        fields |= {N_EXPERTS: config.n_experts, N_ACTIVE: config.n_active_experts}
        fields |= {EXPERT_WIDTH: config.hidden_width} if architecture.experts == "always" else {}
    if architecture.rotates:
        fields |= {ROPE_BASE: float(config.rope_base), "rope.dimension_count": config.head_width}
        fields |= {KEY_LENGTH: config.head_width, "attention.value_length": config.head_width}
        fields |= rope_scaling_fields(config)
    return {f"{architecture.name}.{name}": value for name, value in fields.items()}


def _tensors(architecture: Architecture, model: GPT) -> Iterator[tuple[str, Tensor]]:
    """Each tensor of the file with its name."""
    if model.config.rope_scaling == "llama3":
        yield DIVISORS, rope_divisors(model.config)
    config, ours = model.config, dict(model.named_parameters())
    e = config.head_width
    rows = (config.n_heads * e, config.kv_heads * e, config.kv_heads * e)
    for name, sources in architecture.sources(config).items():
        whole = ours[name].detach().cpu()
        for source, part in zip(sources, whole.split(rows) if len(sources) > 1 else (whole,), strict=True):
            heads = architecture.permuted_heads(source, config)
            yield source, part if heads is None else neighbouring_rows(part, heads)
    for name, experts in architecture.stacks(config).items():
        yield name, torch.stack([ours[expert].detach().cpu() for expert in experts])


def _check_texts(fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        texts = value if isinstance(value, list) else [value]
        utf_8("".join(text for text in texts if isinstance(text, str)), "card" if name == DESCRIPTION else name)


def _refused_again(path: Path, error: OSError) -> None:
    """Raise what the system says of a file that takes no more bytes: NumPy, which wrote them, does not say it."""
    if error.errno is None:
        with path.open("ab") as file:
            file.write(bytes(2**20))


def _add_field(writer: Any, name: str, value: Any) -> None:
    """One field, in the type that llama.cpp expects of it; ``None`` is left out."""
    add = {str: "add_string", float: "add_float32", bool: "add_bool", int: "add_uint32", list: "add_array"}
    if value is not None:
        getattr(writer, add[type(value)])(name, value)
