"""Byte-level BPE that the package ``tokenizers`` works, into the fields of a GGUF file and back.

The tokenizers of this library join the pair whose joint token has the lowest id, and so the merges follow from the
tokens. Those of others join by a list of pairs in an order of its own. A GGUF file holds the list, but neither the
regular expression that cuts a text, which it names, nor what a ``tokenizer.json`` can do beside: strip the white space
around a token, or mark the words.

Source: llama.cpp, ``llama-vocab.cpp``: of the cuts that are known here, "llama-bpe" alone takes a piece that is a token
before it joins anything (``ignore_merges``).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from minigpt.pretrained.gguf.token_types import CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED
from minigpt.text.tokenizers.byte_pairs import printable_bytes
from minigpt.text.tokenizers.hugging_face import BPE_MODEL, FLAGS, PRE_TOKENIZER, pre_tokenizer_of, split_of
from minigpt.text.tokenizers.imported import unprinted
from minigpt.text.tokenizers.library import LibraryTokenizer

TAKES_WHOLE_TOKENS = {"llama3"}  # splits
_NFC = {"type": "NFC"}


class ByteLevelParts(NamedTuple):
    """What byte-level BPE is in a GGUF file.

    Attributes:
        split: our name of what cuts a text.
        composed: whether the text is brought into form NFC first.
        tokens: text and type of each, by its id.
        merges: two tokens with a space between them, in the order in which they are joined.
    """

    split: str
    composed: bool
    tokens: dict[int, tuple[str, int]]
    merges: list[str]


def library_parts(tokenizer: LibraryTokenizer) -> ByteLevelParts:
    """What the fields of a GGUF file say of a tokenizer that was read from a ``tokenizer.json``.

    Args:
        tokenizer: byte-level BPE.

    Raises:
        ValueError: if it is of another kind, or does what no field can say; that is named.
    """
    try:
        return _parts(tokenizer.data, tokenizer.added_tokens)
    except ValueError as error:
        raise ValueError(
            f"a library tokenizer can't be written in a GGUF file where {error}; write the model alone, with "
            "tokenizer=None or --no-tokenizer"
        ) from None


def _parts(data: dict[str, Any], ids: dict[str, int]) -> ByteLevelParts:
    model, added = data["model"], data.get("added_tokens") or []
    _check_model(model)
    _check_added(added, ids, changes_text=data.get("normalizer") is not None)
    if data.get("normalizer") not in (None, _NFC):
        raise ValueError(f"its normalizer is {_kind(data['normalizer'])}, and only NFC has a name there")
    if not isinstance(data.get("pre_tokenizer"), dict):
        raise ValueError("it has no pre_tokenizer, and what cuts a text must have a name there")
    split = split_of(data["pre_tokenizer"])
    special = {token["content"]: CONTROL if token.get("special") else USER_DEFINED for token in added}
    vocabulary = {**model["vocab"], **{token["content"]: token["id"] for token in added}}
    for token in vocabulary.keys() - special.keys():
        unprinted(token)
    missing = [byte for character, byte in printable_bytes().items() if character not in vocabulary]
    if missing and model.get("unk_token") is not None:
        raise ValueError(f"it has no token for the byte {missing[0]} and one for what is unknown")
    if bool(model.get("ignore_merges")) != (split in TAKES_WHOLE_TOKENS) and (lost := _not_joined(model, special)):
        raise ValueError(f"its token {lost[:40]!r} is made by no merge, with ignore_merges={model['ignore_merges']}")
    tokens = {token_id: (token, special.get(token, NORMAL)) for token, token_id in vocabulary.items()}
    if len(tokens) < len(vocabulary):
        raise ValueError("two of its tokens have one id")
    return ByteLevelParts(split, data.get("normalizer") is not None, tokens, _merges(model))


def _check_model(model: dict[str, Any]) -> None:
    for name, wanted in BPE_MODEL.items():
        if model.get(name, wanted) != wanted:
            raise ValueError(f"its model has {name}={model[name]!r}; only byte-level BPE, {name}={wanted!r}, can be")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise ValueError(f"its model has {name}={model[name]!r}, which marks the parts of words")


def _check_added(added: list[dict[str, Any]], ids: dict[str, int], *, changes_text: bool) -> None:
    for token in added:
        named = f"its added token {token['content'][:40]!r}"
        if any(token.get(flag) for flag in FLAGS):
            raise ValueError(f"{named} takes in the text around it ({', '.join(FLAGS)})")
        if changes_text and token.get("normalized"):
            raise ValueError(f"{named} is looked for after the normalizer (normalized=True)")
        if (given := ids.get(token["content"])) != token["id"]:
            raise ValueError(f"{named} has the id {token['id']}, and the package tokenizers gives it {given}")


def _merges(model: dict[str, Any]) -> list[str]:
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    if wrong := next((pair for pair in merges if pair.count(" ") != 1), None):
        raise ValueError(f"its merge {wrong[:40]!r} is not two tokens with a space between them")
    return merges


def _not_joined(model: dict[str, Any], special: dict[str, int]) -> str:
    """The first token that its merges don't make of its bytes; "" for none."""
    from tokenizers import models

    pairs = [(one, other) for one, _, other in (pair.partition(" ") for pair in _merges(model))]
    joins = models.BPE(vocab=model["vocab"], merges=pairs)
    return next((token for token in model["vocab"] if token not in special and len(joins.tokenize(token)) != 1), "")


def _kind(part: Any) -> str:
    return str(part.get("type"))[:40] if isinstance(part, dict) else repr(part)[:40]


def byte_level_object(
    tokens: Sequence[str], types: Sequence[int], merges: Sequence[str], *, split: str, composed: bool
) -> dict[str, Any]:
    """The object of a ``tokenizer.json`` from which Hugging Face's library makes the tokenizer of a file.

    Args:
        tokens: in the order of the ids, printed as GPT-2's files print bytes.
        types: of each; see :mod:`minigpt.pretrained.gguf.token_types`.
        merges: two tokens with a space between them, in the order in which they are joined.
        split: our name of what cuts a text.
        composed: whether the text is brought into form NFC first.
    """
    in_use = {token: i for i, token in enumerate(tokens) if types[i] != UNUSED}
    flags = dict.fromkeys((*FLAGS, "normalized"), False)
    return {
        "version": "1.0",
        **dict.fromkeys(("truncation", "padding", "post_processor")),
        "added_tokens": [
            {"id": i, "content": token, **flags, "special": types[i] != USER_DEFINED}
            for token, i in in_use.items()
            if types[i] in (UNKNOWN, CONTROL, USER_DEFINED)
        ],
        "normalizer": _NFC if composed else None,
        "pre_tokenizer": pre_tokenizer_of(split),
        "decoder": {**PRE_TOKENIZER, "trim_offsets": True},
        "model": {
            **BPE_MODEL,
            **dict.fromkeys(("unk_token", "continuing_subword_prefix", "end_of_word_suffix")),
            **{"fuse_unk": False, "ignore_merges": split in TAKES_WHOLE_TOKENS},
            **{"vocab": in_use, "merges": [pair.split(" ") for pair in merges]},
        },
    }
