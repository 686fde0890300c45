"""The byte-level BPE tokenizer, trained here.

Ids: the 256 bytes in order, then one id a merge in the order learned, then the special tokens.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from minigpt.text.tokenizers.bpe_training import TokenPair, train_merges
from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer
from minigpt.text.tokenizers.patterns import GPT2_SPLIT, compile_pattern, special_splitter, split_pieces
from minigpt.text.tokenizers.tokenizer import check_special_count, check_text, json_field, json_header

END_OF_TEXT = "<|endoftext|>"

# forty merges, each doubling the last, would fill a terabyte
_LARGEST_VOCABULARY_BYTES = 2**26


class BPETokenizer(ByteLevelTokenizer):
    """A byte-level BPE vocabulary.

    Args:
        merges: the pairs of ids that were joined, in the order learned; pair ``i`` made id ``256 + i``.
        special_tokens: the texts of the special tokens; their ids follow those of the merges.
        pattern: the regular expression that splits a text into pieces, in the syntax of the ``regex`` module, without
            capturing groups.

    Raises:
        ValueError: if a merge joins ids that do not exist yet or makes bytes that a token already has, if a special
            token is empty or given twice, or if the pattern cannot be used.
    """

    def __init__(
        self,
        merges: Iterable[TokenPair],
        *,
        special_tokens: Sequence[str] = (END_OF_TEXT,),
        pattern: str = GPT2_SPLIT,
    ) -> None:
        check_special_count(len(special_tokens))
        compile_pattern(pattern)
        _check_special_tokens(special_tokens)
        self.merges = [(first, second) for first, second in merges]
        ranks = _ranks(self.merges)
        first_special = len(ranks)
        super().__init__("bpe", pattern, ranks, {text: first_special + i for i, text in enumerate(special_tokens)})

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        vocab_size: int,
        *,
        special_tokens: Sequence[str] = (END_OF_TEXT,),
        pattern: str = GPT2_SPLIT,
        progress: bool | None = None,
    ) -> "BPETokenizer":
        """Learn a vocabulary: the most frequent pair of neighbouring tokens is joined, again and again.

        Args:
            text: one text, or several; nothing is joined across texts, nor across the special tokens in them.
            vocab_size: V, the number of ids wanted: 256 bytes, the merges and the special tokens. The vocabulary is
                smaller when every piece of the text has become one token before that.
            special_tokens: tokens that stand for no text of their own.
            pattern: the regular expression that splits a text into pieces, in the syntax of the ``regex`` module.
            progress: whether to show a bar; None shows one when it takes longer than two seconds.

        Raises:
            ValueError: if ``vocab_size`` is too small, the pattern leaves out part of the text, or the text has a lone
                surrogate.
        """
        n_merges = vocab_size - 256 - len(special_tokens)
        if n_merges < 0:
            raise ValueError(
                f"vocab_size={vocab_size} is less than 256 bytes + {len(special_tokens)} special tokens; "
                f"try vocab_size={512 + len(special_tokens)}"
            )
        _check_special_tokens(special_tokens)
        texts = [text] if isinstance(text, str) else text
        merges = train_merges(_count_words(texts, special_tokens, pattern), n_merges, progress=progress)
        return cls(merges, special_tokens=special_tokens, pattern=pattern)

    @property
    def vocabulary(self) -> list[bytes]:
        """The bytes of every id; of a special token, its text."""
        return [self._bytes[token_id] for token_id in range(self.vocab_size)]

    def to_json(self) -> dict[str, Any]:
        """The pattern, the merges and the special tokens, as a JSON object."""
        return {
            **json_header("bpe"),
            "pattern": self.pattern,
            "special_tokens": list(self._special_tokens),
            "merges": [list(pair) for pair in self.merges],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "BPETokenizer":
        """Build the tokenizer that :meth:`to_json` described.

        Raises:
            ValueError: if a field is missing or cannot be used.
        """
        merges = json_field(data, "merges", list)
        for i, pair in enumerate(merges):
            if not (isinstance(pair, list) and len(pair) == 2 and all(type(token_id) is int for token_id in pair)):
                raise ValueError(f"merge {i} is {str(pair)[:40]}, expected two ids such as [116, 104]; save it anew")
        return cls(
            merges,
            special_tokens=json_field(data, "special_tokens", list),
            pattern=json_field(data, "pattern", str),
        )


def _count_words(texts: Iterable[str], special_tokens: Sequence[str], pattern: str) -> Counter[bytes]:
    split_special = special_splitter(special_tokens)
    special = set(special_tokens)
    counts: Counter[str] = Counter()
    for text in texts:
        check_text(text)
        for part in split_special(text):
            if part not in special:
                counts.update(split_pieces(pattern, part))
    return Counter({piece.encode(): count for piece, count in counts.items()})


def _ranks(merges: Sequence[TokenPair]) -> dict[bytes, int]:
    vocabulary = [bytes([byte]) for byte in range(256)]
    ranks = {token: token_id for token_id, token in enumerate(vocabulary)}
    room = _LARGEST_VOCABULARY_BYTES
    for i, (first, second) in enumerate(merges):
        if not (0 <= first < 256 + i and 0 <= second < 256 + i):
            raise ValueError(f"merge {i} joins ({first}, {second}), but only ids below {256 + i} exist by then")
        room -= len(vocabulary[first]) + len(vocabulary[second])
        if room < 0:
            raise ValueError(f"merge {i} takes the vocabulary past {_LARGEST_VOCABULARY_BYTES:,} bytes; use fewer")
        token = vocabulary[first] + vocabulary[second]
        if token in ranks:
            raise ValueError(f"merge {i} makes {token[:40]!r}, which id {ranks[token]} already is; leave it out")
        ranks[token] = 256 + i
        vocabulary.append(token)
    return ranks


def _check_special_tokens(special_tokens: Sequence[str]) -> None:
    seen: set[str] = set()
    for i, text in enumerate(special_tokens):
        if not isinstance(text, str) or not text:
            raise ValueError(f"special token {i} is {text!r}, expected a text that is not empty")
        check_text(text)
        if text in seen:
            raise ValueError(f"special token {text!r} is given twice; give it once")
        seen.add(text)
