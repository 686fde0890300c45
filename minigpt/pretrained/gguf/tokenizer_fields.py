"""Our tokenizers as the fields of a GGUF file.

The programs that read such files take some token for the end of a text whatever the fields say: the one with the number
11, in byte-level BPE, or 2. So a tokenizer without a special token is not written. The character tokenizer is one.
"""

from typing import Any

from minigpt.pretrained.gguf.byte_level import ByteLevelParts, library_parts
from minigpt.pretrained.gguf.token_types import CONTROL, NORMAL, PREFIX, UNUSED
from minigpt.pretrained.gguf.tokenizer import SPLIT_NAMES
from minigpt.text import Tokenizer
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer
from minigpt.text.tokenizers.chat_format import ChatFormat
from minigpt.text.tokenizers.imported import printed, published_merges
from minigpt.text.tokenizers.library import LibraryTokenizer

NO_TOKENIZER = {f"{PREFIX}model": "none"}


def tokenizer_fields(tokenizer: Tokenizer, vocab_size: int) -> dict[str, Any]:
    """The fields of a tokenizer, by their names.

    Args:
        tokenizer: byte-level BPE with a special token; one that the package ``tokenizers`` works, if the file can say
            all that it does.
        vocab_size: V, of the model; ids from the tokenizer's up to it are tokens that no text becomes.

    Raises:
        ValueError: if the tokenizer is of another kind, or has something that no field can say.
    """
    if not isinstance(tokenizer, ByteLevelTokenizer | LibraryTokenizer) or not tokenizer.special_tokens:
        raise ValueError(
            f"a {tokenizer.name} tokenizer with {len(tokenizer.special_tokens)} special tokens can't be written in a "
            "GGUF file, which needs byte-level BPE with a token for the end of a text: train with --tokenizer "
            "bpe:1024, or write the model alone, with tokenizer=None or --no-tokenizer"
        )
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(f"the tokenizer has {tokenizer.vocab_size} tokens and the model {vocab_size}; give its own")
    parts = library_parts(tokenizer) if isinstance(tokenizer, LibraryTokenizer) else _our_parts(tokenizer)
    tokens = [f"[PAD{i}]" for i in range(vocab_size)]
    types = [UNUSED] * vocab_size
    for token_id, (text, kind) in parts.tokens.items():
        tokens[token_id], types[token_id] = text, kind
    if len(set(tokens)) < vocab_size:
        twice = next(token for i, token in enumerate(tokens) if token in tokens[:i])
        raise ValueError(
            f"two tokens would be written {twice!r}, which a GGUF file can't tell apart; rename the special"
        )
    fields = {
        "model": "gpt2",
        "pre": _cut(parts.split, composed=parts.composed),
        "tokens": tokens,
        "token_type": types,
        "merges": parts.merges,
        **_borders(tokenizer),
    }
    chat: ChatFormat | None = getattr(tokenizer, "chat", None)
    template = {} if chat is None else {"tokenizer.chat_template": chat.template}
    return {**{PREFIX + name: value for name, value in fields.items()}, **template}


def _our_parts(tokenizer: ByteLevelTokenizer) -> ByteLevelParts:
    split, merges = published_merges(tokenizer, "in a GGUF file")
    tokens = {token_id: (printed(token), NORMAL) for token, token_id in tokenizer.ranks.items()}
    tokens |= {token_id: (text, CONTROL) for text, token_id in tokenizer.special_tokens.items()}
    return ByteLevelParts(split, getattr(tokenizer, "composed", False), tokens, [" ".join(pair) for pair in merges])


def _cut(split: str, *, composed: bool) -> str:
    """llama.cpp's name of what cuts a text."""
    for name, known in SPLIT_NAMES.items():
        if known == (split, composed):
            return name
    raise ValueError(f"the split {split!r} {'with' if composed else 'without'} Unicode's form NFC has no name in GGUF")


def _borders(tokenizer: ByteLevelTokenizer | LibraryTokenizer) -> dict[str, Any]:
    """The tokens before a text and at its end."""
    special, bos = tokenizer.special_tokens, str(getattr(tokenizer, "bos", ""))
    chat: ChatFormat | None = getattr(tokenizer, "chat", None)
    start, eos, ends = bos, "", list[str]()
    if chat is not None:
        start, eos, ends = bos or chat.bos_token, chat.eos_token, list(chat.end)
    eos = eos or next(iter(ends), "") or (END_OF_TEXT if END_OF_TEXT in special else next(iter(special)))
    others = [end for end in ends if end != eos]
    if len(others) > 1 or (chat is not None and bos and chat.bos_token not in ("", bos)):
        raise ValueError(
            f"a GGUF file has one token before a text and two that end an answer; this tokenizer has "
            f"{[bos, chat.bos_token if chat else '']} and {ends}"
        )
    named = {"bos": start or (eos if chat is None else ""), "eos": eos, "eot": next(iter(others), "")}
    ids = {f"{name}_token_id": special[token] for name, token in named.items() if token in special}
    return {**ids, "add_bos_token": bool(bos), "add_eos_token": False}
