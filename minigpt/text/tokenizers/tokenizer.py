"""What a tokenizer is: a reversible map from text to token ids below ``vocab_size``.

A tokenizer is saved as one JSON file that says all about it. Reading such a file only ever parses JSON: nothing in it
is executed, and whatever is wrong with it gives one :class:`ValueError`.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from minigpt.files.atomic import write_atomically

MOST_SPECIAL_TOKENS = 20_000  # they are one pattern, which takes a second to compile for each 10,000
TOKENIZER_FORMAT = "minigpt.tokenizer"
TOKENIZER_VERSION = 1
ENCODED_TOGETHER = 2**16  # characters

_SAFE_CUT = re.compile(r"(?<=\S)\n(?=\S)")


class Tokenizer(Protocol):
    """Text to ids and back; ids are in ``range(vocab_size)``."""

    name: str

    @property
    def vocab_size(self) -> int:
        """V: every id is below it."""

    @property
    def special_tokens(self) -> dict[str, int]:
        """The tokens that stand for no text of their own, such as ``<|endoftext|>``, with their ids."""

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Turn a text into ids.

        Args:
            text: any text without lone surrogates.
            allow_special: whether the text of a special token becomes that token; otherwise it is text like any other.
        """

    def decode(self, ids: Sequence[int]) -> str:
        """Turn ids into text; bytes that are not UTF-8 become U+FFFD."""

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes one id stands for: the unit of streaming output and of bits per byte."""

    def to_json(self) -> dict[str, Any]:
        """All that :func:`~minigpt.text.tokenizers.loading.load_tokenizer` needs."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_json` to a file, whole or not at all."""


class TokenizerBase:
    """What a tokenizer with ``to_json`` and ``encode`` has besides: ``save`` and other ways to encode."""

    to_json: Callable[[], dict[str, Any]]
    encode: Callable[..., list[int]]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a JSON file; :func:`~minigpt.text.tokenizers.loading.load_tokenizer` reads it."""
        write_atomically(path, json.dumps(self.to_json(), ensure_ascii=False).encode())

    def encode_array(self, text: str, *, allow_special: bool = False) -> np.ndarray:
        """What ``encode`` gives, as an array of uint32.

        Args:
            text: as in ``encode``.
            allow_special: as in ``encode``.
        """
        return np.array(self.encode(text, allow_special=allow_special), dtype=np.uint32)

    def encode_iterable(self, texts: Iterable[str], *, allow_special: bool = False) -> Iterator[int]:
        """Encode a text that comes in parts, such as the lines of an open file, without holding all of it.

        The parts are joined and cut anew at line breaks without white space on either side, where a token of GPT-2, or
        of any vocabulary whose pieces end at line ends, ends in any case. A text without such a place is held whole.

        Args:
            texts: the parts, in order; none ends inside a special token that should count.
            allow_special: as in ``encode``.

        Yields:
            The ids that ``encode`` gives for the whole text.
        """
        waiting, enough = "", ENCODED_TOGETHER
        for text in texts:
            waiting += text
            if len(waiting) < enough:
                continue
            cut = max((found.end() for found in _SAFE_CUT.finditer(waiting)), default=0)
            yield from self.encode(waiting[:cut], allow_special=allow_special)
            waiting = waiting[cut:]
            enough = max(ENCODED_TOGETHER, 2 * len(waiting))  # the less often a text without a cut is searched
        yield from self.encode(waiting, allow_special=allow_special)


def json_header(kind: str) -> dict[str, Any]:
    """The fields every tokenizer file opens with."""
    return {"format": TOKENIZER_FORMAT, "version": TOKENIZER_VERSION, "type": kind}


def check_special_count(count: int) -> None:
    """Refuse more special tokens than a text can be searched for in reasonable time.

    Args:
        count: how many there are.

    Raises:
        ValueError: if there are more than 20,000.
    """
    if count > MOST_SPECIAL_TOKENS:
        raise ValueError(f"there are {count:,} special tokens; at most {MOST_SPECIAL_TOKENS:,} can be used")


def json_field(data: dict[str, Any], key: str, expected: type) -> Any:
    """``data[key]``, refused unless it is of the expected JSON type."""
    if not isinstance(data.get(key), expected):
        found = type(data[key]).__name__ if key in data else "nothing"
        raise ValueError(f'field "{key}" should be a {expected.__name__}, found {found}; save the tokenizer anew')
    return data[key]


def check_text(text: str, name: str = "text") -> None:
    """Refuse a text that has no UTF-8 form; ``name`` is its name in the message."""
    if not text.isascii() and (found := re.search("[\ud800-\udfff]", text)):
        raise ValueError(
            f"{name} has a lone surrogate U+{ord(found[0]):04X} at character {found.start()}, which no UTF-8 file can "
            f'hold; replace it with {name}.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        )


def check_ids(ids: Sequence[int], vocab_size: int) -> None:
    """Refuse ids outside ``range(vocab_size)``."""
    for position, token_id in enumerate(ids):
        if not 0 <= token_id < vocab_size:
            raise ValueError(
                f"id {int(token_id)} at position {position} is outside 0..{vocab_size - 1}; "
                "decode with the tokenizer that made the ids"
            )


def text_lengths(tokenizer: Tokenizer) -> np.ndarray:
    """How many bytes of a text each id stands for, ``(V,)``; a special token stands for none."""
    lengths = np.array([len(tokenizer.token_bytes(token_id)) for token_id in range(tokenizer.vocab_size)])
    lengths[list(tokenizer.special_tokens.values())] = 0
    return lengths
