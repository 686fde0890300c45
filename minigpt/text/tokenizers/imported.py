"""Byte-level BPE vocabularies that others trained, checked.

Their rule joins the pair that stands first among the merges, ours the pair whose joint token has the lowest id. The two
give the same ids where the ids follow the order of the merges and each merge is the last step by which our rule makes
its token. All of that is checked, so a vocabulary that would be read differently is refused.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer, printable_bytes, recover_merges
from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.patterns import SPLITS
from minigpt.text.tokenizers.tokenizer import Tokenizer, check_special_count, check_text, json_field, json_header

NEEDED = frozenset((10, *range(32, 127)))  # bytes of English text; SmolLM2 has no token for some control characters


class OtherKindError(ValueError):
    """A tokenizer of a kind that the readers here do not know; nothing need be wrong with it."""


class ImportedTokenizer(ByteLevelTokenizer):
    """A byte-level BPE vocabulary that another program trained, with that program's ids.

    Args:
        ranks: the id of every token's bytes; all 256 single bytes are among them.
        special_tokens: the id of every special token.
        split: name of the pattern that cuts a text into pieces, one of ``SPLITS``.
        composed: whether a text is brought into Unicode's form NFC first.
        chat: how a conversation is written for the model of the vocabulary, if it can chat.
        bos: special token that the model has read before every text; "" for none. ``encode`` does not write it.

    Raises:
        ValueError: if a byte of English text has no id, an id is given twice, or there are more than 20,000 special
            tokens.
    """

    def __init__(
        self,
        ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        *,
        split: str = "gpt2",
        composed: bool = False,
        chat: ChatFormat | None = None,
        bos: str = "",
    ) -> None:
        check_special_count(len(special_tokens))
        if split not in SPLITS:
            raise ValueError(f"its split is {split[:40]!r}; expected one of {', '.join(SPLITS)}")
        missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
        if NEEDED & set(missing):
            raise ValueError(f"the vocabulary has no token for {len(missing)} of the 256 bytes, such as {missing[0]}")
        ids = [*ranks.values(), *special_tokens.values()]
        if len(set(ids)) < len(ids) or min(ids) < 0 or max(ids) >= 2 * len(ids):
            raise ValueError(f"{len(ids)} tokens should have as many different ids, from 0 on and without large gaps")
        super().__init__("imported", SPLITS[split], ranks, special_tokens)
        self.split, self.composed, self.chat = split, composed, chat
        self.bos = checked_bos(bos, special_tokens)
        self._missing = bytes(missing)

    def __repr__(self) -> str:
        return f"ImportedTokenizer(byte-level BPE split as {self.split}, vocab_size={self.vocab_size})"

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """As :meth:`ByteLevelTokenizer.encode`; the text is brought into form NFC first if the vocabulary asks for it.

        Args:
            text: any text without lone surrogates.
            allow_special: whether the text of a special token becomes that token.

        Raises:
            ValueError: if the text has a lone surrogate, or a character for whose bytes there is no token.
        """
        return super().encode(self._prepared(text), allow_special=allow_special)

    def encode_reference(self, text: str, *, allow_special: bool = False) -> list[int]:
        """As :meth:`ByteLevelTokenizer.encode_reference`; same arguments and errors as :meth:`encode`."""
        return super().encode_reference(self._prepared(text), allow_special=allow_special)

    def _prepared(self, text: str) -> str:
        check_text(text)
        text = unicodedata.normalize("NFC", text) if self.composed else text
        if self._missing and len(encoded := text.encode()) > len(encoded.translate(None, self._missing)):
            place, unknown = next((i, c) for i, c in enumerate(text) if set(c.encode()) & set(self._missing))
            raise ValueError(
                f"character {unknown!r} (U+{ord(unknown):04X}) at position {place} has no token in this vocabulary; "
                "remove it"
            )
        return text

    def to_json(self) -> dict[str, Any]:
        """Every token, in the order of the ids, and the special tokens."""
        tokens: list[str | None] = [None] * self.vocab_size
        for token, token_id in self.ranks.items():
            tokens[token_id] = printed(token)
        more: dict[str, Any] = {"split": self.split, "composed": self.composed}
        more |= {} if self.chat is None else {"chat": self.chat.to_json()}
        more |= {"bos": self.bos} if self.bos else {}
        return {**json_header("imported"), "tokens": tokens, "special_tokens": self.special_tokens, **more}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ImportedTokenizer":
        """Build the tokenizer that :meth:`to_json` described.

        Raises:
            ValueError: if a field is missing or cannot be used.
        """
        tokens = enumerate(json_field(data, "tokens", list))
        ranks = {unprinted(token): token_id for token_id, token in tokens if token is not None}
        return cls(
            ranks,
            _whole_numbers(json_field(data, "special_tokens", dict)),
            split=json_field({"split": "gpt2", **data}, "split", str),  # older files have no more fields
            composed=json_field({"composed": False, **data}, "composed", bool),
            chat=None if data.get("chat") is None else ChatFormat.from_json(data["chat"]),
            bos=json_field({"bos": "", **data}, "bos", str),
        )


def checked_bos(bos: str, special_tokens: dict[str, int]) -> str:
    """``bos`` itself.

    Args:
        bos: a token before every text; "" for none.
        special_tokens: of the tokenizer.

    Raises:
        ValueError: if it is not one of them.
    """
    if bos and bos not in special_tokens:
        raise ValueError(f"bos={bos[:40]!r} is not one of the {len(special_tokens)} special tokens")
    return bos


def printed(token: bytes) -> str:
    """The bytes of a token as GPT-2's files write them."""
    character_of = {byte: character for character, byte in printable_bytes().items()}
    return "".join(character_of[byte] for byte in token)


def unprinted(token: Any) -> bytes:
    """The bytes that :func:`printed` wrote.

    Raises:
        ValueError: if ``token`` is not such a text.
    """
    byte_of = printable_bytes()
    if not isinstance(token, str) or not token or not set(token) <= byte_of.keys():
        raise ValueError(f"the token {str(token)[:40]!r} is not written in the characters that stand for bytes")
    return bytes(byte_of[character] for character in token)


def published_merges(tokenizer: Tokenizer, where: str, others: str = "") -> tuple[str, list[list[str]]]:
    """What byte-level BPE is made of, as other libraries write it.

    Args:
        tokenizer: what is written.
        where: it is written, for an error.
        others: kinds that can be written there too, for an error.

    Returns:
        The name of its split pattern, one of ``SPLITS``, and the pairs of printed tokens in the order in which they are
        joined.

    Raises:
        ValueError: if the tokenizer is of another kind or has another split pattern, or a token that no merge makes.
    """
    patterns = {pattern: name for name, pattern in SPLITS.items()}
    if not isinstance(tokenizer, ByteLevelTokenizer) or tokenizer.pattern not in patterns:
        raise ValueError(
            f"a {tokenizer.name} tokenizer can't be written {where}; only {others}byte-level BPE with the split "
            f"pattern of {', '.join(SPLITS)} can"
        )
    merges = recover_merges(tokenizer.ranks)
    if not all(len(parts) == 2 for parts in merges):
        raise ValueError(f"the tokenizer has a token that no merge makes; it can't be written {where}")
    return patterns[tokenizer.pattern], [[printed(part) for part in parts] for parts in merges]


def from_vocabulary(
    vocabulary: dict[str, Any], merges: Iterable[Any], added_tokens: dict[str, Any], **more: Any
) -> ImportedTokenizer:
    """A tokenizer from the contents of Hugging Face's files, or of GGUF.

    Args:
        vocabulary: the id of every token, printed.
        merges: pairs of printed tokens, in the order in which they are joined.
        added_tokens: the id of every token that is matched before anything is joined, as plain text.
        more: further arguments of :class:`ImportedTokenizer`.

    Raises:
        ValueError: if the files contradict each other, or the ids do not follow the order of the merges.
    """
    vocabulary, added_tokens = _whole_numbers(vocabulary), _whole_numbers(added_tokens)
    pairs = [_pair(merge) for merge in merges]
    if unknown := sorted({token for pair in pairs for token in (*pair, "".join(pair))} - vocabulary.keys()):
        raise ValueError(f"a merge names the token {unknown[0][:40]!r}, which has no id")
    ranks = {unprinted(token): token_id for token, token_id in vocabulary.items() if token not in added_tokens}
    tokenizer = ImportedTokenizer(ranks, added_tokens, **more)
    _check_order(ranks, pairs)
    return tokenizer


def _pair(merge: Any) -> tuple[str, str]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"the merge {str(merge)[:40]!r} should be two tokens")
    return parts[0], parts[1]


def _whole_numbers(ids: dict[str, Any]) -> dict[str, int]:
    for token, token_id in ids.items():
        if not isinstance(token, str) or not token or type(token_id) is not int:
            raise ValueError(f"the id of the token {token[:40]!r} is {token_id!r}; expected a whole number")
    return ids


def _check_order(ranks: dict[bytes, int], pairs: Sequence[tuple[str, str]]) -> None:
    """Refuse merges other than those by which our rule makes each token."""
    ours = recover_merges(ranks)
    for i, (pair, parts) in enumerate(zip(pairs, ours, strict=False)):
        if [unprinted(token) for token in pair] != parts:
            raise OtherKindError(
                f"merge {i} joins {pair[0]!r} and {pair[1]!r}, where by the order of the ids "
                f"{' and '.join(repr(printed(part)) for part in parts)} come next"
            )
    if len(pairs) != len(ours):
        raise OtherKindError(f"there are {len(pairs)} merges for {len(ours)} tokens of two bytes or more")
