"""The tokenizer in a GGUF file: the tokens, what is joined, how a text is cut, and the chat template."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.files.paths import as_path
from minigpt.pretrained.gguf.byte_level import byte_level_object
from minigpt.pretrained.gguf.file import open_gguf
from minigpt.pretrained.gguf.sentencepiece import sentencepiece_object
from minigpt.pretrained.gguf.token_types import BYTE, CONTROL, NORMAL, PREFIX, UNKNOWN, UNUSED, USER_DEFINED
from minigpt.settings import shown
from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.imported import ImportedTokenizer, OtherKindError, from_vocabulary
from minigpt.text.tokenizers.library import LibraryTokenizer

# From llama.cpp's name of what cuts a text to ours, and whether the text is brought into form NFC first.
SPLIT_NAMES = {
    "gpt-2": ("gpt2", False),
    "smollm": ("smollm", False),
    "llama-bpe": ("llama3", False),
    "qwen2": ("qwen2", True),
}
STARTS_WITH_BOS = {"llama-bpe"}  # where a file does not say whether a token is put before every text
BYTE_LEVEL_TYPES = {NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED}  # of byte-level BPE


def gguf_tokenizer(path: Path | str) -> ImportedTokenizer | LibraryTokenizer:
    """The tokenizer in a GGUF file, with the chat template of its model.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is damaged, or its tokenizer is neither byte-level BPE with a split pattern that is
            known here nor of SentencePiece's kind.
        ImportError: if it is of SentencePiece's kind and the package ``tokenizers`` is not installed.
    """
    with open_gguf(as_path(path, "path")) as file:
        return tokenizer_in(file.fields)


def tokenizer_in(fields: dict[str, Any]) -> ImportedTokenizer | LibraryTokenizer:
    """As :func:`gguf_tokenizer`, from the fields of a file.

    Args:
        fields: of the whole file, by their names.

    Raises:
        ValueError: naming the field that is missing, or can't be used.
        ImportError: if the package ``tokenizers`` is needed and not installed.
    """
    kind = fields.get(f"{PREFIX}model")
    if not isinstance(kind, str) or kind not in TOKENIZER_KINDS:
        raise ValueError(
            f"its tokenizer is of the kind {shown(kind)}; only byte-level BPE, 'gpt2', and SentencePiece's kind, "
            "'llama', can be read; minigpt.pretrained.gguf.gguf_model(path) loads the model without it"
        )
    tokens = _texts(fields, "tokens")
    if len(set(tokens)) < len(tokens):
        raise ValueError("its tokenizer has one token twice")
    return TOKENIZER_KINDS[kind](fields, tokens)


def _byte_level(fields: dict[str, Any], tokens: list[str]) -> ImportedTokenizer | LibraryTokenizer:
    cut = fields.get(f"{PREFIX}pre")
    if not isinstance(cut, str) or cut not in SPLIT_NAMES:
        raise ValueError(f"{PREFIX}pre is {shown(cut)}; expected one of {', '.join(SPLIT_NAMES)}")
    split, composed = SPLIT_NAMES[cut]
    merges = _texts(fields, "merges") if f"{PREFIX}merges" in fields else []
    types = _types(fields, len(tokens), BYTE_LEVEL_TYPES)
    ids = {token: i for i, token in enumerate(tokens) if types[i] != UNUSED}
    special = {token: i for token, i in ids.items() if types[i] != NORMAL}
    chat, bos = _chat(fields, tokens), _bos(fields, tokens, default=cut in STARTS_WITH_BOS)
    try:
        return from_vocabulary(ids, merges, special, split=split, composed=composed, chat=chat, bos=bos)
    except OtherKindError as error:  # the merges are in an order of their own
        data = byte_level_object(tokens, types, merges, split=split, composed=composed)
        return _of_library(data, chat, bos, f"a tokenizer in which {error}")


def _sentencepiece(fields: dict[str, Any], tokens: list[str]) -> LibraryTokenizer:
    for name in ("precompiled_charsmap", "remove_extra_whitespaces"):
        value = fields.get(PREFIX + name, False)
        if value is not False and np.size(value):
            raise ValueError(f"{PREFIX}{name} changes the text before it is cut, which is not done here")
    types, scores = _types(fields, len(tokens), {*BYTE_LEVEL_TYPES, BYTE}), fields.get(f"{PREFIX}scores")
    if not isinstance(scores, np.ndarray) or len(scores) != len(tokens) or not np.isfinite(scores).all():
        raise ValueError(f"{PREFIX}scores should have a finite number for each of the {len(tokens)} tokens")
    unknown = next((token for token, kind in zip(tokens, types, strict=True) if kind == UNKNOWN), "")
    prefix = fields.get(f"{PREFIX}add_space_prefix", True) is True
    data = sentencepiece_object(tokens, types, scores.tolist(), prefix=prefix, unknown=unknown)
    return _of_library(
        data, _chat(fields, tokens), _bos(fields, tokens, default=True), "a tokenizer of SentencePiece's kind"
    )


def _of_library(data: dict[str, Any], chat: ChatFormat | None, bos: str, what: str) -> LibraryTokenizer:
    try:
        return LibraryTokenizer(data, chat, bos)
    except ImportError:
        raise ImportError(f"{what} needs tokenizers: pip install tokenizers") from None


TOKENIZER_KINDS: dict[str, Callable[[dict[str, Any], list[str]], ImportedTokenizer | LibraryTokenizer]] = {
    "gpt2": _byte_level,
    "llama": _sentencepiece,
}


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    texts = fields.get(PREFIX + name)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
        raise ValueError(f"{PREFIX}{name} is {shown(texts)[:60]}; expected a list of texts")
    return texts


def _types(fields: dict[str, Any], n_tokens: int, known: set[int]) -> list[int]:
    types = fields.get(f"{PREFIX}token_type")
    found = types.tolist() if isinstance(types, np.ndarray) else []
    if len(found) != n_tokens or not set(found) <= known:
        raise ValueError(f"{PREFIX}token_type should have one of {sorted(known)} for each of the {n_tokens} tokens")
    return found


def _bos(fields: dict[str, Any], tokens: list[str], *, default: bool) -> str:
    """The token before every text; "" for none."""
    return _named(fields, "bos", tokens) if fields.get(f"{PREFIX}add_bos_token", default) is True else ""


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
