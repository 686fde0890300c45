"""Byte-level BPE vocabularies in Hugging Face's files: read, checked, and written again.

A folder has ``tokenizer.json``, or the two files of GPT-2's time: ``vocab.json``, the id of every token, and
``merges.txt``, the pairs in the order in which they are joined. Both write a byte as a printable character.

Their rule joins the pair that stands first among the merges, ours the pair whose joint token has the lowest id. The two
give the same ids where the ids follow the order of the merges and each merge is the last step by which our rule makes
its token. All of that is checked, so a vocabulary that would be read differently is refused.

What a post-processor adds to every text, such as a token at its start, is left out: it is not part of the text.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minigpt.files.json_object import read_object
from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer, printable_bytes, recover_merges
from minigpt.text.tokenizers.patterns import GPT2_SPLIT
from minigpt.text.tokenizers.tokenizer import check_special_count, json_field, json_header

# The two files under the names that Hugging Face and OpenAI gave them.
OLDER_FILES = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))

# What a tokenizer.json must say, or leave out, so that it is GPT-2's kind of byte-level BPE.
PRE_TOKENIZER = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
BPE_MODEL = {"type": "BPE", "dropout": None, "byte_fallback": False, "ignore_merges": False}


class ImportedTokenizer(ByteLevelTokenizer):
    """A byte-level BPE vocabulary that another program trained, with that program's ids.

    Args:
        ranks: the id of every token's bytes; all 256 single bytes are among them.
        special_tokens: the id of every special token.

    Raises:
        ValueError: if a byte has no id, an id is given twice, or there are more than 20,000 special tokens.
    """

    def __init__(self, ranks: dict[bytes, int], special_tokens: dict[str, int]) -> None:
        check_special_count(len(special_tokens))
        missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
        if missing:
            raise ValueError(f"the vocabulary has no token for {len(missing)} of the 256 bytes, such as {missing[0]}")
        ids = [*ranks.values(), *special_tokens.values()]
        if len(set(ids)) < len(ids) or min(ids) < 0 or max(ids) >= 2 * len(ids):
            raise ValueError(f"{len(ids)} tokens should have as many different ids, from 0 on and without large gaps")
        super().__init__("imported", GPT2_SPLIT, ranks, special_tokens)

    def to_json(self) -> dict[str, Any]:
        """Every token, in the order of the ids, and the special tokens."""
        tokens: list[str | None] = [None] * self.vocab_size
        for token, token_id in self.ranks.items():
            tokens[token_id] = printed(token)
        return {**json_header("imported"), "tokens": tokens, "special_tokens": self.special_tokens}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ImportedTokenizer":
        """Build the tokenizer that :meth:`to_json` described.

        Raises:
            ValueError: if a field is missing or cannot be used.
        """
        tokens = enumerate(json_field(data, "tokens", list))
        ranks = {unprinted(token): token_id for token_id, token in tokens if token is not None}
        return cls(ranks, _whole_numbers(json_field(data, "special_tokens", dict)))


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


def from_vocabulary(
    vocabulary: dict[str, Any], merges: Iterable[Any], added_tokens: dict[str, Any]
) -> ImportedTokenizer:
    """A tokenizer from the contents of Hugging Face's files.

    Args:
        vocabulary: the id of every token, printed.
        merges: pairs of printed tokens, in the order in which they are joined.
        added_tokens: the id of every token that is matched before anything is joined, as plain text.

    Raises:
        ValueError: if the files contradict each other, or the ids do not follow the order of the merges.
    """
    vocabulary, added_tokens = _whole_numbers(vocabulary), _whole_numbers(added_tokens)
    pairs = [_pair(merge) for merge in merges]
    if unknown := sorted({token for pair in pairs for token in (*pair, "".join(pair))} - vocabulary.keys()):
        raise ValueError(f"a merge names the token {unknown[0][:40]!r}, which has no id")
    ranks = {unprinted(token): token_id for token, token_id in vocabulary.items() if token not in added_tokens}
    tokenizer = ImportedTokenizer(ranks, added_tokens)
    _check_order(ranks, pairs)
    return tokenizer


def from_hugging_face(data: dict[str, Any]) -> ImportedTokenizer:
    """A tokenizer from the object in a ``tokenizer.json``.

    Raises:
        ValueError: if it is of another kind than GPT-2's, naming the field, or cannot be used.
    """
    if data.get("normalizer") is not None:
        raise ValueError("it changes the text before it is cut (normalizer); only null can be read")
    before, model = json_field(data, "pre_tokenizer", dict), json_field(data, "model", dict)
    for part, fields, expected in (("pre_tokenizer", before, PRE_TOKENIZER), ("model", model, BPE_MODEL)):
        for name, value in expected.items():
            if fields.get(name, value) != value or (name == "type" and name not in fields):
                raise ValueError(f"its {part} has {name}={fields.get(name)!r}; only {value!r} can be read")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise ValueError(f"its model has {name}={model[name]!r}; only an empty one can be read")
    added = data.get("added_tokens", [])
    if not isinstance(added, list) or not all(
        isinstance(token, dict) and isinstance(token.get("content"), str) for token in added
    ):
        raise ValueError("its added_tokens should be a list of objects with a content, which is a text, and an id")
    return from_vocabulary(
        json_field(model, "vocab", dict),
        json_field(model, "merges", list),
        {token["content"]: token.get("id") for token in added},
    )


def to_hugging_face(tokenizer: ByteLevelTokenizer) -> dict[str, Any]:
    """The object of a ``tokenizer.json`` from which Hugging Face's libraries make the same tokenizer.

    Raises:
        ValueError: if the tokenizer is not byte-level BPE with GPT-2's split, or has a token that no merge makes.
    """
    if not isinstance(tokenizer, ByteLevelTokenizer) or tokenizer.pattern != GPT2_SPLIT:
        raise ValueError(
            f"a {tokenizer.name} tokenizer can't be written in Hugging Face's format; only byte-level BPE with GPT-2's "
            "split pattern can"
        )
    merges = recover_merges(tokenizer.ranks)
    if not all(len(parts) == 2 for parts in merges):
        raise ValueError("the tokenizer has a token that no merge makes; it can't be written in Hugging Face's format")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    special = sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    byte_level = {**PRE_TOKENIZER, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": token_id, "content": text, **flags} for text, token_id in special],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            **BPE_MODEL,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "vocab": {printed(token): token_id for token, token_id in tokenizer.ranks.items()} | dict(special),
            "merges": [[printed(part) for part in parts] for parts in merges],
        },
    }


def read_folder(folder: Path) -> ImportedTokenizer:
    """The tokenizer in the two older files of a folder.

    What is neither a byte nor joined from two tokens is a special token, as are those in an ``added_tokens.json``.

    Raises:
        ValueError: if the files are not there, or cannot be used.
    """
    for vocabulary_file, merges_file in OLDER_FILES:
        if not ((folder / vocabulary_file).is_file() and (folder / merges_file).is_file()):
            continue
        lines = (folder / merges_file).read_text(encoding="utf-8").splitlines()
        merges = [line for line in lines if line and not line.startswith("#version:")]
        vocabulary = read_object(folder / vocabulary_file)
        ordinary = {*printable_bytes(), *(merge.replace(" ", "") for merge in merges)}
        added = {token: token_id for token, token_id in vocabulary.items() if token not in ordinary}
        if (folder / "added_tokens.json").is_file():
            added |= read_object(folder / "added_tokens.json")
        return from_vocabulary(vocabulary, merges, added)
    raise ValueError(f"{folder} has no tokenizer.json, and no vocab.json with merges.txt")


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
            raise ValueError(
                f"merge {i} joins {pair[0]!r} and {pair[1]!r}, where by the order of the ids "
                f"{' and '.join(repr(printed(part)) for part in parts)} come next"
            )
    if len(pairs) != len(ours):
        raise ValueError(f"there are {len(pairs)} merges for {len(ours)} tokens of two bytes or more")
