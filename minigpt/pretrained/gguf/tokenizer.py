"""The tokenizer in a GGUF file: the tokens, the pairs that are joined, how a text is cut, and the chat template."""

from pathlib import Path
from typing import Any

import numpy as np

from minigpt.files.paths import as_path
from minigpt.pretrained.gguf.file import open_gguf
from minigpt.settings import shown
from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.imported import ImportedTokenizer, from_vocabulary

PREFIX = "tokenizer.ggml."
# From llama.cpp's name of what cuts a text to ours, and whether the text is brought into form NFC first.
SPLIT_NAMES = {
    "gpt-2": ("gpt2", False),
    "smollm": ("smollm", False),
    "llama-bpe": ("llama3", False),
    "qwen2": ("qwen2", True),
}
STARTS_WITH_BOS = {"llama-bpe"}  # where a file does not say whether a token is put before every text
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # types of tokens
TYPES = {NORMAL, CONTROL, USER_DEFINED, 2, 5}  # and unknown and unused ones, which no text becomes


def gguf_tokenizer(path: Path | str) -> ImportedTokenizer:
    """The tokenizer in a GGUF file, with the chat template of its model.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is damaged, or its tokenizer is of another kind than byte-level BPE with a split pattern
            that is known here.
    """
    with open_gguf(as_path(path, "path")) as file:
        return tokenizer_in(file.fields)


def tokenizer_in(fields: dict[str, Any]) -> ImportedTokenizer:
    """As :func:`gguf_tokenizer`, from the fields of a file.

    Args:
        fields: of the whole file, by their names.

    Raises:
        ValueError: naming the field that is missing, or can't be used.
    """
    if (kind := fields.get(f"{PREFIX}model")) != "gpt2":
        raise ValueError(
            f"its tokenizer is of the kind {shown(kind)}, and only byte-level BPE, 'gpt2', can be read; "
            "minigpt.pretrained.gguf.gguf_model(path) loads the model without it"
        )
    cut = fields.get(f"{PREFIX}pre")
    if not isinstance(cut, str) or cut not in SPLIT_NAMES:
        raise ValueError(f"{PREFIX}pre is {shown(cut)}; expected one of {', '.join(SPLIT_NAMES)}")
    split, composed = SPLIT_NAMES[cut]
    tokens, merges = (_texts(fields, name) for name in ("tokens", "merges"))
    if len(set(tokens)) < len(tokens):
        raise ValueError("its tokenizer has one token twice")
    types = _types(fields, len(tokens))
    special = {token: i for i, token in enumerate(tokens) if types[i] != NORMAL}
    ids = {token: i for i, token in enumerate(tokens)}
    chat, adds = _chat(fields, tokens), fields.get(f"{PREFIX}add_bos_token", cut in STARTS_WITH_BOS)
    bos = _named(fields, "bos", tokens) if adds is True else ""
    return from_vocabulary(ids, merges, special, split=split, composed=composed, chat=chat, bos=bos)


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    texts = fields.get(PREFIX + name)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
        raise ValueError(f"{PREFIX}{name} is {shown(texts)[:60]}; expected a list of texts")
    return texts


def _types(fields: dict[str, Any], n_tokens: int) -> list[int]:
    types = fields.get(f"{PREFIX}token_type")
    found = types.tolist() if isinstance(types, np.ndarray) else []
    if len(found) != n_tokens or not set(found) <= TYPES:
        raise ValueError(f"{PREFIX}token_type should have one of {sorted(TYPES)} for each of the {n_tokens} tokens")
    return found


def _chat(fields: dict[str, Any], tokens: list[str]) -> ChatFormat | None:
    template = fields.get("tokenizer.chat_template")
    if not isinstance(template, str):
        return None
    named = {name: _named(fields, name, tokens) for name in ("bos", "eos", "eot")}
    ends = tuple(dict.fromkeys(token for token in (named["eos"], named["eot"]) if token))
    return ChatFormat(template=template, end=ends, bos_token=named["bos"], eos_token=named["eos"])


def _named(fields: dict[str, Any], name: str, tokens: list[str]) -> str:
    """The token that a file names by its id; "" for none."""
    token_id = fields.get(f"{PREFIX}{name}_token_id")
    return tokens[token_id] if type(token_id) is int and 0 <= token_id < len(tokens) else ""
