r"""Byte-pair encoding as a rule: join, again and again, the two neighbours whose joint token has the lowest id.

A text is split into pieces (words with their leading space, numbers, punctuation, white space); each piece starts as
its UTF-8 bytes and no merge crosses a piece. :func:`merge_bytes` is the rule, readable and in $O(n \log n)$; tiktoken
does the same in Rust and is what :meth:`ByteLevelTokenizer.encode` uses. Tests hold the two equal.

Source: Sennrich, Haddow & Birch 2016, arXiv:1508.07909; the split pattern and bytes for symbols are those of GPT-2
(Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.2).
"""

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from minigpt.equations import fast_twin
from minigpt.text.tokenizers.patterns import (
    GPT2_SPLIT,
    has_long_blank,
    leaves_out_part,
    special_splitter,
    spell_out_classes,
    split_pieces,
)
from minigpt.text.tokenizers.tokenizer import TokenizerBase, check_ids, check_text

if TYPE_CHECKING:
    import tiktoken

# fancy-regex, tiktoken's engine, aborts when it backtracks through about a million characters of white space
_LONGEST_SAFE_BLANK = 100_000
_UNUSED = "\ufffd".encode()


def merge_bytes(piece: bytes, ranks: Mapping[bytes, int], *, below: float = math.inf) -> list[int]:
    """Encode one piece: the reference.

    Args:
        piece: bytes that no split divides.
        ranks: the id of every token; all 256 single bytes have one.
        below: no token of this id or a higher one is made.

    Returns:
        The ids, in order. Among equal pairs the leftmost is joined first.
    """
    size = len(piece)
    # the token that starts at i covers piece[i : stop[i]]; stop[i] is 0 once it has been joined to the one before it
    stop = list(range(1, size + 1))
    start_before = list(range(-1, size))

    def rank_of_pair(left: int) -> int | None:
        middle = stop[left]
        rank = ranks.get(piece[left : stop[middle]]) if 0 < middle < size else None
        return rank if rank is not None and rank < below else None

    candidates = [(rank, left) for left in range(size) if (rank := rank_of_pair(left)) is not None]
    heapq.heapify(candidates)
    while candidates:
        rank, left = heapq.heappop(candidates)
        if rank_of_pair(left) != rank:
            continue  # one of the two has been joined to another neighbour
        middle = stop[left]
        end = stop[middle]
        stop[left], stop[middle], start_before[end] = end, 0, left
        for start in (left, start_before[left]):
            if start >= 0 and (new_rank := rank_of_pair(start)) is not None:
                heapq.heappush(candidates, (new_rank, start))
    return [ranks[piece[left:end]] for left, end in enumerate(stop) if end]


def recover_merges(ranks: Mapping[bytes, int]) -> list[list[bytes]]:
    """For each token of two bytes or more, in the order of the ids, the tokens whose joining makes it.

    They are what the lower ids leave of its bytes, two if the rule can reach it; a byte without a token is an error.
    """
    if lost := next((token for token in ranks if any(bytes([byte]) not in ranks for byte in token)), None):
        raise ValueError(f"the token {lost[:40]!r} holds a byte for which the vocabulary has no token")
    token_of = {rank: token for token, rank in ranks.items()}
    longer = (rank for rank in sorted(token_of) if len(token_of[rank]) > 1)
    return [[token_of[part] for part in merge_bytes(token_of[rank], ranks, below=rank)] for rank in longer]


@lru_cache
def printable_bytes() -> dict[str, int]:
    """The character that stands for each byte in GPT-2's files, in the order of GPT-2's ids.

    A byte that Latin-1 prints stands for itself; the others, space among them, are U+0100 and upwards.
    """
    printable = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


class ByteLevelTokenizer(TokenizerBase):
    """Byte-pair encoding with a given vocabulary: every text has an encoding, and decoding gives it back.

    Args:
        name: what it is called, for instance in a checkpoint.
        pattern: the regular expression, in the syntax of the ``regex`` module, that splits a text into pieces.
        ranks: the id of every token's bytes, lower ids joined first; all 256 single bytes are among them.
        special_tokens: the id of every special token.
    """

    def __init__(self, name: str, pattern: str, ranks: dict[bytes, int], special_tokens: dict[str, int]) -> None:
        self.name = name
        self.pattern = pattern
        self.ranks = ranks
        self._special_tokens = special_tokens
        self._special_split = special_splitter(special_tokens)
        self._bytes = {token_id: token for token, token_id in ranks.items()}
        self._bytes |= {token_id: text.encode() for text, token_id in special_tokens.items()}
        self._vocab_size = max(self._bytes) + 1

    def to_json(self) -> dict[str, Any]:
        """All that :func:`load_tokenizer` needs."""
        raise NotImplementedError

    @property
    def vocab_size(self) -> int:
        """V: one more than the highest id."""
        return self._vocab_size

    @property
    def special_tokens(self) -> dict[str, int]:
        """The special tokens with their ids."""
        return dict(self._special_tokens)

    @cached_property
    def _fast(self) -> "tiktoken.Encoding":
        return self.to_tiktoken()

    def to_tiktoken(self) -> "tiktoken.Encoding":
        """The same tokenizer as a ``tiktoken.Encoding``: equal ids for every text it can take.

        Its pattern spells out the characters of each Unicode class, because tiktoken's engine and the ``regex`` module
        may follow different editions of Unicode and then disagree about thousands of characters.
        """
        import tiktoken

        try:
            with _panics_as_errors():
                return tiktoken.Encoding(
                    self.name,
                    pat_str=spell_out_classes(self.pattern),
                    mergeable_ranks=self.ranks,
                    special_tokens=self._special_tokens,
                )
        except (ValueError, _PanicError) as error:
            raise ValueError(f"tiktoken cannot use the split pattern {self.pattern!r}: {error}; simplify it") from None

    def encode_reference(self, text: str, *, allow_special: bool = False) -> list[int]:
        """What :meth:`encode` computes, by :func:`merge_bytes` alone: readable, and a few times slower."""
        check_text(text)
        known: dict[str, list[int]] = {}
        ids: list[int] = []
        for part in self._special_split(text) if allow_special else [text]:
            if allow_special and part in self._special_tokens:
                ids.append(self._special_tokens[part])
                continue
            for piece in split_pieces(self.pattern, part):
                if piece not in known:
                    known[piece] = merge_bytes(piece.encode(), self.ranks)
                ids += known[piece]
        return ids

    @fast_twin(of=encode_reference, error=0, gradient="none", when="every text", faster="tiktoken's merges, in Rust")
    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Turn a text into ids.

        Args:
            text: any text without lone surrogates.
            allow_special: whether the text of a special token becomes that token; otherwise it is encoded as the
                ordinary text it is.

        Raises:
            ValueError: if the text has a lone surrogate, or the split pattern leaves out part of it.
        """
        check_text(text)
        if has_long_blank(text, _LONGEST_SAFE_BLANK):
            return self.encode_reference(text, allow_special=allow_special)
        try:
            if not allow_special:
                return self._encode_ordinary(text)
            ids: list[int] = []
            for part in self._special_split(text):
                special_id = self._special_tokens.get(part)
                ids += self._encode_ordinary(part) if special_id is None else [special_id]
            return ids
        except _PanicError:  # tiktoken gave up, on a pattern that needs many steps
            return self.encode_reference(text, allow_special=allow_special)

    def encode_array(self, text: str, *, allow_special: bool = False) -> np.ndarray:
        """What :meth:`encode` gives, as an array of uint32: no Python number is made for each id."""
        if not allow_special and self.pattern == GPT2_SPLIT and not has_long_blank(text, _LONGEST_SAFE_BLANK):
            check_text(text)
            with suppress(_PanicError), _panics_as_errors():
                return self._fast.encode_to_numpy(text, disallowed_special=())
        return super().encode_array(text, allow_special=allow_special)

    def _encode_ordinary(self, text: str) -> list[int]:
        with _panics_as_errors():
            ids = self._fast.encode_ordinary(text)
        # tiktoken drops what a pattern does not match; GPT-2's matches everything
        if self.pattern != GPT2_SPLIT and sum(len(self._bytes[token_id]) for token_id in ids) < len(text.encode()):
            raise leaves_out_part(self.pattern)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Turn ids into text; bytes that are not UTF-8, as in half a character, and unused ids become U+FFFD.

        Raises:
            ValueError: if an id is not below ``vocab_size``.
        """
        return b"".join(self._look_up(ids)).decode(errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token; of a special token, its text; of an id that no token has, those of U+FFFD.

        Raises:
            ValueError: if the id is not below ``vocab_size``.
        """
        return self._look_up([token_id])[0]

    def _look_up(self, ids: Sequence[int]) -> list[bytes]:
        try:
            return [self._bytes[index(token_id)] for token_id in ids]
        except KeyError:
            # a model may draw an id that its vocabulary leaves unused, as those between two blocks of tokens
            check_ids(ids, self.vocab_size)
            return [self._bytes.get(index(token_id), _UNUSED) for token_id in ids]


class _PanicError(Exception):
    """An error inside tiktoken's Rust."""


@contextmanager
def _panics_as_errors() -> Iterator[None]:
    """Raise a panic of Rust, which is a BaseException like Ctrl-C, as an ordinary error."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _PanicError(f"it failed inside ({str(error)[:100]})") from None
