"""Tokenizers that the package ``tokenizers`` works, such as the SentencePiece kind of Llama 2 and Mistral.

In that kind a space is written "▁", one is put before the text, and a character without a token is written byte by
byte, ``<0xE4>``. Special tokens in a text are text, as everywhere here, unless they are asked for.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.imported import checked_bos, unprinted
from minigpt.text.tokenizers.tokenizer import (
    TokenizerBase,
    check_ids,
    check_special_count,
    check_text,
    json_field,
    json_header,
)

LIBRARY_MODELS = ("BPE", "Unigram")
SPACE_MARK = "▁"

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_UNUSED = "\ufffd".encode()


class LibraryTokenizer(TokenizerBase):
    """A tokenizer of Hugging Face's library behind the methods of ours.

    Args:
        data: the object of a ``tokenizer.json``.
        chat: how a conversation is written for its model, if it can chat.
        bos: special token that the model has read before every text; "" for none. ``encode`` does not write it.

    Raises:
        ValueError: if the library can't use it, or what a token stands for can't be told from it.
        ImportError: if the package ``tokenizers`` is not installed.
    """

    name = "library"

    def __init__(self, data: dict[str, Any], chat: ChatFormat | None = None, bos: str = "") -> None:
        self.chat = chat
        # what is left out lengthens, shortens or marks every text
        self.data = {**data, "post_processor": None, "truncation": None, "padding": None}
        model, decoder = json_field(self.data, "model", dict), json_field(self.data, "decoder", dict)
        if model.get("type") not in LIBRARY_MODELS or model.get("dropout") is not None:
            kind = f"type={model.get('type')!r} and dropout={model.get('dropout')!r}"
            raise ValueError(f"its model has {kind}; only {' and '.join(LIBRARY_MODELS)} without dropout can be read")
        self._plain = self._build(allow_special=False)
        added = self._plain.get_added_tokens_decoder()
        check_special_count(len(added))
        self._special_tokens = {token.content: token_id for token_id, token in added.items() if token.special}
        self.bos = checked_bos(bos, self._special_tokens)
        self._tokens = {token_id: token for token, token_id in self._plain.get_vocab(with_added_tokens=True).items()}
        if not self._tokens or max(self._tokens) >= 2 * len(self._tokens):
            raise ValueError(f"{len(self._tokens)} tokens should have ids from 0 on without large gaps")
        self._added = {token_id: token.content for token_id, token in added.items()}
        kinds = {decoder.get("type"), *(step.get("type") for step in _steps(decoder))}
        self._by_bytes = "ByteLevel" in kinds
        self._has_prefix = "Strip" in kinds or ("Metaspace" in kinds and _puts_prefix(decoder))
        if not self._by_bytes and not kinds & {"Metaspace", "ByteFallback"}:
            raise ValueError(f"its decoder has the steps {sorted(map(str, kinds))}, which are not read")

    def __repr__(self) -> str:
        return f"LibraryTokenizer({self.data['model']['type']}, vocab_size={self.vocab_size})"

    @property
    def vocab_size(self) -> int:
        """V: one more than the highest id."""
        return max(self._tokens) + 1

    @property
    def special_tokens(self) -> dict[str, int]:
        """The special tokens with their ids."""
        return dict(self._special_tokens)

    @property
    def added_tokens(self) -> dict[str, int]:
        """The added tokens, special or not, with the ids that the package gives them, whatever the file says."""
        return {content: token_id for token_id, content in self._added.items()}

    @cached_property
    def _special(self) -> Any:
        return self._build(allow_special=True)

    def _build(self, *, allow_special: bool) -> Any:
        from tokenizers import Tokenizer

        with _failures_as_errors("it can't be used by the package tokenizers"):
            tokenizer = Tokenizer.from_str(json.dumps(self.data))
            tokenizer.encode_special_tokens = not allow_special
        return tokenizer

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Turn a text into ids.

        Args:
            text: any text without lone surrogates.
            allow_special: whether the text of a special token becomes that token.

        Raises:
            ValueError: if the text has a lone surrogate, or the library fails.
        """
        check_text(text)
        with _failures_as_errors("the text can't be encoded"):
            chosen = self._special if allow_special else self._plain
            ids: list[int] = chosen.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Turn ids into text; where a space is put before every text, it is taken away.

        Raises:
            ValueError: if an id is not below ``vocab_size``.
        """
        check_ids(ids, self.vocab_size)
        text = b"".join(map(self.token_bytes, ids)).decode(errors="replace")
        first = self._tokens.get(ids[0], "") if len(ids) and self._has_prefix else ""
        return text[1:] if first.startswith(SPACE_MARK) else text

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token; of an added token, its text; of an id that no token has, those of U+FFFD.

        Raises:
            ValueError: if the id is not below ``vocab_size``.
        """
        check_ids([token_id], self.vocab_size)
        token_id = int(token_id)
        if token_id in self._added:
            return self._added[token_id].encode()
        if (token := self._tokens.get(token_id)) is None:
            return _UNUSED
        if self._by_bytes:
            return unprinted(token)
        byte = _BYTE.fullmatch(token)
        return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE_MARK, " ").encode()

    def to_json(self) -> dict[str, Any]:
        """The object of the ``tokenizer.json``, within ours."""
        chat = {} if self.chat is None else {"chat": self.chat.to_json()}
        return {**json_header("library"), "tokenizer": self.data, **chat, **({"bos": self.bos} if self.bos else {})}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "LibraryTokenizer":
        """Build the tokenizer that :meth:`to_json` described.

        Raises:
            ValueError: if a field is missing or cannot be used, or the package ``tokenizers`` is not installed.
        """
        chat = None if data.get("chat") is None else ChatFormat.from_json(data["chat"])
        try:
            return cls(json_field(data, "tokenizer", dict), chat, json_field({"bos": "", **data}, "bos", str))
        except ImportError:
            raise ValueError("it needs the package tokenizers: pip install tokenizers") from None


def _steps(decoder: dict[str, Any]) -> list[dict[str, Any]]:
    steps = decoder.get("decoders", [])
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _puts_prefix(decoder: dict[str, Any]) -> bool:
    steps = [step for step in (decoder, *_steps(decoder)) if step.get("type") == "Metaspace"]
    return any(step.get("prepend_scheme") != "never" and step.get("add_prefix_space") is not False for step in steps)


@contextmanager
def _failures_as_errors(what: str) -> Iterator[None]:
    """Every error of the library, also a panic of Rust, which is a BaseException like Ctrl-C, as one ValueError."""
    try:
        yield
    except ImportError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"{what}: {str(error)[:200]}") from None
