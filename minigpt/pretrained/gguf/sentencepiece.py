"""The SentencePiece kind of tokenizer in a GGUF file, as the object of a ``tokenizer.json``.

The file has a score for each token and no merges: of all neighbours whose joint text is a token, those with the highest
score are joined first. Hugging Face's library joins by a list of pairs instead. It gets every pair that makes a token,
in the order of the scores.

Departure: of equal scores, SentencePiece joins the leftmost pair first, and the library the one that is earlier in the
list. Files converted from SentencePiece have a score of its own for every token that is joined.
Source: SentencePiece, Kudo & Richardson 2018, arXiv:1808.06226; llama.cpp calls the kind "llama".
"""

import re
from collections.abc import Sequence
from typing import Any

from minigpt.pretrained.gguf.token_types import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED
from minigpt.text.tokenizers.library import SPACE_MARK

LONGEST_TOKEN = 1024  # characters; each place where a token may be cut in two is looked at
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_MATCHED_WHOLE = (UNKNOWN, CONTROL, USER_DEFINED)  # and never joined


def sentencepiece_object(
    tokens: Sequence[str], types: Sequence[int], scores: Sequence[float], *, prefix: bool, unknown: str
) -> dict[str, Any]:
    """The object of a ``tokenizer.json`` from which Hugging Face's library makes the tokenizer.

    Args:
        tokens: in the order of the ids; spaces are "▁".
        types: of each; see :mod:`minigpt.pretrained.gguf.token_types`.
        scores: of each; what has the highest is joined first.
        prefix: whether a space is put before a text.
        unknown: token of characters that have none; "" for none.

    Raises:
        ValueError: if a token of type byte is none, one is too long, or some characters could not be encoded.
    """
    if (longest := max(map(len, tokens))) > LONGEST_TOKEN:
        raise ValueError(f"it has a token of {longest:,} characters; at most {LONGEST_TOKEN:,} are read")
    in_use = {token: i for i, token in enumerate(tokens) if types[i] != UNUSED}
    in_bytes = {token for token, i in in_use.items() if types[i] == BYTE}
    if wrong := sorted(token for token in in_bytes if not _BYTE.fullmatch(token)):
        raise ValueError(f"its token {wrong[0][:40]!r} is of type byte; expected <0x00> to <0xFF>")
    if len(in_bytes) < 256 and not unknown:
        raise ValueError(f"it has tokens for {len(in_bytes)} of the 256 bytes and none for unknown characters")
    mark = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK}
    unmark = {"type": "Replace", "pattern": {"String": SPACE_MARK}, "content": " "}
    before = [{"type": "Prepend", "prepend": SPACE_MARK}] if prefix else []
    after = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []
    model = {
        "type": "BPE",
        **{"dropout": None, "unk_token": unknown or None, "fuse_unk": True, "byte_fallback": len(in_bytes) == 256},
        **{"continuing_subword_prefix": None, "end_of_word_suffix": None, "ignore_merges": False},
        **{"vocab": in_use, "merges": _merges({token: scores[i] for token, i in in_use.items() if types[i] == NORMAL})},
    }
    return {
        "version": "1.0",
        **dict.fromkeys(("truncation", "padding", "pre_tokenizer", "post_processor")),
        "added_tokens": [_added(token, i, types[i]) for token, i in in_use.items() if types[i] in _MATCHED_WHOLE],
        "normalizer": {"type": "Sequence", "normalizers": [*before, mark]},
        "decoder": {"type": "Sequence", "decoders": [unmark, {"type": "ByteFallback"}, {"type": "Fuse"}, *after]},
        "model": model,
    }


def _merges(scores: dict[str, float]) -> list[list[str]]:
    """Every pair of tokens that makes a token, the highest score first."""
    places = {token: i for i, token in enumerate(scores)}
    merges = []
    for token in sorted(scores, key=lambda token: (-scores[token], places[token])):
        pairs = [(token[:i], token[i:]) for i in range(1, len(token))]
        known = [pair for pair in pairs if pair[0] in scores and pair[1] in scores]
        merges += [list(pair) for pair in sorted(known, key=lambda pair: (places[pair[0]], places[pair[1]]))]
    return merges


def _added(token: str, token_id: int, kind: int) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token_id, "content": token, **flags, "special": kind != USER_DEFINED}
