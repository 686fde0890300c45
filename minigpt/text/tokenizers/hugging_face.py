"""Tokenizers in Hugging Face's files: read, and written again.

A folder has ``tokenizer.json``, or the two files of GPT-2's time: ``vocab.json``, the id of every token, and
``merges.txt``, the pairs in the order in which they are joined. Both write a byte as a printable character. Byte-level
BPE is read whose text is cut like that of GPT-2, SmolLM2, Llama 3 or Qwen 2; and the character tokenizer, as it is
written here.

What a post-processor adds to every text is left out, since it is not part of the text; a token at the start of every
text is told as ``bos``.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from minigpt.files.json_object import read_object
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer, printable_bytes
from minigpt.text.tokenizers.characters import CharTokenizer
from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.imported import (
    ImportedTokenizer,
    OtherKindError,
    from_vocabulary,
    printed,
    published_merges,
)
from minigpt.text.tokenizers.library import LibraryTokenizer
from minigpt.text.tokenizers.patterns import SPLITS
from minigpt.text.tokenizers.tokenizer import Tokenizer, json_field

# The two files under the names that Hugging Face and OpenAI gave them.
OLDER_FILES = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))

# What a tokenizer.json must say, or leave out, so that it is byte-level BPE.
PRE_TOKENIZER = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
BPE_MODEL = {"type": "BPE", "dropout": None, "byte_fallback": False}
NO_REGEX = {**PRE_TOKENIZER, "use_regex": False}
DIGITS = {"type": "Digits", "individual_digits": True}
# A character is a piece, and a piece is a word.
CHARACTERS = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
FLAGS = ("single_word", "lstrip", "rstrip")  # of an added token; they change the text around it


def from_hugging_face(data: dict[str, Any]) -> Tokenizer:
    """A tokenizer from the object in a ``tokenizer.json``.

    Raises:
        OtherKindError: if it is of a kind that is not read here, naming the field.
        ValueError: if it cannot be used.
    """
    if isinstance(model := data.get("model"), dict) and model.get("type") == "WordLevel":
        return _characters(data, json_field(model, "vocab", dict))
    normalizer = data.get("normalizer")
    if normalizer not in (None, {"type": "NFC"}):
        raise OtherKindError("it changes the text before it is cut (normalizer); only null and NFC can be read")
    split, model = split_of(json_field(data, "pre_tokenizer", dict)), json_field(data, "model", dict)
    _check_part("model", model, BPE_MODEL)
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise OtherKindError(f"its model has {name}={model[name]!r}; only an empty one can be read")
    vocabulary, merges = json_field(model, "vocab", dict), json_field(model, "merges", list)
    added, composed = _added(data), normalizer is not None
    return from_vocabulary(vocabulary, merges, added, split=split, composed=composed, bos=bos_of(data, added))


def bos_of(data: dict[str, Any], special_tokens: Collection[str]) -> str:
    """The special token that a ``tokenizer.json`` puts before every text; "" for none.

    Args:
        data: the object in the file.
        special_tokens: of the tokenizer.
    """
    processor: Any = data.get("post_processor")
    try:
        steps = processor["processors"] if processor["type"] == "Sequence" else [processor]
        (template,) = (step["single"] for step in steps if step["type"] == "TemplateProcessing")
        start: str = template[0]["SpecialToken"]["id"]
        return start if start in special_tokens else ""
    except (TypeError, KeyError, IndexError, ValueError):  # no template, or one that begins with the text
        return ""


def to_hugging_face(tokenizer: Tokenizer) -> dict[str, Any]:
    """The object of a ``tokenizer.json`` from which Hugging Face's libraries make the same tokenizer.

    Raises:
        ValueError: if the tokenizer is neither byte-level BPE with a published split pattern nor made of characters, or
            has a token that no merge makes; one that the package ``tokenizers`` works is written as it was read.
    """
    if isinstance(tokenizer, LibraryTokenizer):
        return {**tokenizer.data, "post_processor": _puts_before(tokenizer.bos, tokenizer.special_tokens)}
    if isinstance(tokenizer, CharTokenizer):
        words = {"type": "WordLevel", "vocab": {c: i for i, c in enumerate(tokenizer.characters)}, "unk_token": "<unk>"}
        return _object(pre_tokenizer=CHARACTERS, decoder={"type": "Fuse"}, model=words)
    split, merges = published_merges(tokenizer, "in Hugging Face's format", "characters and ")
    assert isinstance(tokenizer, ByteLevelTokenizer)
    flags = {**dict.fromkeys(FLAGS, False), "normalized": False, "special": True}
    special = sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    model = {
        **BPE_MODEL,
        "ignore_merges": False,
        "unk_token": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "vocab": {printed(token): token_id for token, token_id in tokenizer.ranks.items()} | dict(special),
        "merges": merges,
    }
    return _object(
        added_tokens=[{"id": token_id, "content": text, **flags} for text, token_id in special],
        normalizer={"type": "NFC"} if getattr(tokenizer, "composed", False) else None,
        post_processor=_puts_before(getattr(tokenizer, "bos", ""), tokenizer.special_tokens),
        pre_tokenizer=pre_tokenizer_of(split),
        decoder={**PRE_TOKENIZER, "trim_offsets": True},
        model=model,
    )


def hugging_face_files(tokenizer: Tokenizer, context_length: int) -> dict[str, dict[str, Any]]:
    """The objects of the files from which Hugging Face's libraries make the same tokenizer, by the files' names.

    Args:
        tokenizer: byte-level BPE, characters, or one that the package ``tokenizers`` works.
        context_length: T, of its model.

    Raises:
        ValueError: as :func:`to_hugging_face`.
    """
    whole = to_hugging_face(tokenizer)
    # the class of GPT-2 cuts a text in GPT-2's way, whatever tokenizer.json says
    like_gpt2 = isinstance(tokenizer, ByteLevelTokenizer) and tokenizer.pattern == SPLITS["gpt2"]
    end = END_OF_TEXT if END_OF_TEXT in tokenizer.special_tokens else None
    chat: ChatFormat | None = getattr(tokenizer, "chat", None)
    settings = {
        "tokenizer_class": "GPT2Tokenizer" if like_gpt2 else "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context_length,
        **dict.fromkeys(("bos_token", "eos_token", "unk_token"), end),
    }
    if chat is not None:
        settings |= {"chat_template": chat.template, "bos_token": chat.bos_token or None}
        settings |= {"eos_token": chat.eos_token or None}
    return {"tokenizer.json": whole, "tokenizer_config.json": settings}


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


def _object(**parts: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor"))
    return {"version": "1.0", "added_tokens": [], **empty, **parts}


def _puts_before(token: str, special_tokens: dict[str, int]) -> dict[str, Any] | None:
    """What puts a special token before every text, as a ``tokenizer.json`` says it."""
    if not token:
        return None
    start, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [start, text],
        "pair": [start, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [special_tokens[token]], "tokens": [token]}},
    }


def pre_tokenizer_of(split: str) -> dict[str, Any]:
    """What cuts a text before anything is joined, as a ``tokenizer.json`` says it.

    Args:
        split: name of the pattern, one of ``SPLITS``.
    """
    by_regex, bytes_alone = {**PRE_TOKENIZER, "trim_offsets": True}, {**NO_REGEX, "trim_offsets": True}
    if split == "gpt2":
        return by_regex
    cut = {"type": "Split", "pattern": {"Regex": SPLITS[split]}, "behavior": "Isolated", "invert": False}
    steps = [DIGITS, by_regex] if split == "smollm" else [cut, bytes_alone]
    return {"type": "Sequence", "pretokenizers": steps}


def split_of(before: dict[str, Any]) -> str:
    """The name of the split pattern that a ``tokenizer.json`` describes, the inverse of :func:`pre_tokenizer_of`.

    Args:
        before: the object of its pre-tokenizer.

    Raises:
        OtherKindError: if it is none of ``SPLITS``, saying what it is.
    """
    steps = before.get("pretokenizers")
    if before.get("type") != "Sequence" or not isinstance(steps, list):
        _check_part("pre_tokenizer", before, PRE_TOKENIZER)
        return "gpt2"
    plain = [{k: v for k, v in step.items() if k != "trim_offsets"} for step in steps if isinstance(step, dict)]
    for name in SPLITS:
        known = pre_tokenizer_of(name)
        if "pretokenizers" in known:
            first, last = known["pretokenizers"]
            if len(plain) == len(steps) == 2 and plain[0] == first and {**last, **plain[1]} == last:
                return name
    kinds = ", ".join(str(step.get("type"))[:40] for step in plain)
    raise OtherKindError(f"its pre_tokenizer has the steps {kinds}; only those of {', '.join(SPLITS)} can be read")


def _check_part(part: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        if fields.get(name, value) != value or (name == "type" and name not in fields):
            raise OtherKindError(f"its {part} has {name}={fields.get(name)!r}; only {value!r} can be read")


def _added(data: dict[str, Any]) -> dict[str, Any]:
    """The id of every added token."""
    added = data.get("added_tokens", [])
    if not isinstance(added, list) or not all(
        isinstance(token, dict) and isinstance(token.get("content"), str) for token in added
    ):
        raise ValueError("its added_tokens should be a list of objects with a content, which is a text, and an id")
    if wider := [token["content"] for token in added if any(token.get(flag) for flag in FLAGS)]:
        raise OtherKindError(f"its added token {wider[0][:40]!r} takes in the text around it ({', '.join(FLAGS)})")
    return {token["content"]: token.get("id") for token in added}


def _characters(data: dict[str, Any], vocabulary: dict[str, Any]) -> CharTokenizer:
    """The character tokenizer that :func:`to_hugging_face` wrote."""
    if data.get("pre_tokenizer") != CHARACTERS or data.get("normalizer") is not None or data.get("added_tokens"):
        raise OtherKindError("its words are not characters; only a character tokenizer of this library can be read")
    if list(vocabulary.values()) != list(range(len(vocabulary))) or not all(len(word) == 1 for word in vocabulary):
        raise ValueError("its vocabulary should be characters, with ids from 0 on in order")
    return CharTokenizer("".join(vocabulary))
