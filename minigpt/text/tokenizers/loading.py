"""Tokenizers, read from the files that they were saved to, ours or Hugging Face's: JSON, in which nothing can run."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigpt.files.json_object import read_object
from minigpt.files.paths import as_path
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer
from minigpt.text.tokenizers.chat_files import with_chat_of
from minigpt.text.tokenizers.hugging_face import bos_of, from_hugging_face, read_folder
from minigpt.text.tokenizers.imported import ImportedTokenizer, OtherKindError
from minigpt.text.tokenizers.library import LibraryTokenizer
from minigpt.text.tokenizers.tiktoken_bridge import TiktokenTokenizer
from minigpt.text.tokenizers.tokenizer import TOKENIZER_FORMAT, TOKENIZER_VERSION, Tokenizer


def load_tokenizer(source: str | os.PathLike[str] | dict[str, Any]) -> Tokenizer:
    """Read a tokenizer from the file that ``save`` wrote, or from what ``to_json`` returned.

    Hugging Face's files are read too: a ``tokenizer.json``, or the folder that holds it, or a folder with
    ``vocab.json`` and ``merges.txt``. Byte-level BPE, the kind of GPT-2, is read here; for other kinds, such as Llama
    2's, the package ``tokenizers`` does the work. From a folder, the tokenizer has the chat template of the model.

    Args:
        source: a path, or the object that ``to_json`` returned.

    Raises:
        ValueError: if the file is missing, is not JSON, or does not describe a tokenizer; it says what is wrong.
    """
    where = "the given dict" if isinstance(source, dict) else str(source)
    path = None if isinstance(source, dict) else as_path(source, "source")
    try:
        if path is not None and path.is_dir():
            file = path / "tokenizer.json"
            return with_chat_of(path, _build(_read(file)) if file.is_file() else read_folder(path))
        return _build(source if path is None else _read(path))
    except ValueError as error:
        raise ValueError(f"{where} is not a usable tokenizer: {error}") from error


def _build(data: Any) -> Tokenizer:
    if isinstance(data, dict) and "format" not in data and "model" in data:
        return _of_hugging_face(data)
    if not isinstance(data, dict) or data.get("format") != TOKENIZER_FORMAT:
        raise ValueError(
            f'expected a JSON object with "format": "{TOKENIZER_FORMAT}"; make one with tokenizer.save(path)'
        )
    if data.get("version") != TOKENIZER_VERSION:
        raise ValueError(
            f"its version is {data.get('version')!r}, this library reads {TOKENIZER_VERSION}; save it anew"
        )
    kinds: dict[str, Callable[[dict[str, Any]], Tokenizer]] = {
        "char": CharTokenizer.from_json,
        "bpe": BPETokenizer.from_json,
        "tiktoken": TiktokenTokenizer.from_json,
        "imported": ImportedTokenizer.from_json,
        "library": LibraryTokenizer.from_json,
    }
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"its type is {kind!r}, expected one of {', '.join(kinds)}")
    return kinds[kind](data)


def _of_hugging_face(data: dict[str, Any]) -> Tokenizer:
    try:
        return from_hugging_face(data)
    except OtherKindError as error:
        try:
            tokenizer = LibraryTokenizer(data)
            tokenizer.bos = bos_of(data, tokenizer.special_tokens)
            return tokenizer
        except ImportError:
            raise ValueError(f"{error}; for other kinds, pip install tokenizers") from None
        except ValueError as why:
            raise ValueError(f"{error}; nor can the package tokenizers be used: {why}") from None


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ValueError("it does not exist; give a file written by tokenizer.save(path)")
    try:
        return read_object(path, "it")
    except ValueError as error:
        raise ValueError(f"{error}; save it anew") from None
