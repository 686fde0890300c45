"""Several texts as one row of token ids: what comes between two of them."""

from collections.abc import Sequence

from minigpt.text.reading import BETWEEN_FILES
from minigpt.text.tokenizers.bpe import END_OF_TEXT
from minigpt.text.tokenizers.tokenizer import Tokenizer


def encode_border(tokenizer: Tokenizer, plain: str = BETWEEN_FILES) -> list[int]:
    """The ids between two texts: ``<|endoftext|>``, or ``plain``, a blank line, if the tokenizer has no such token."""
    end = tokenizer.special_tokens.get(END_OF_TEXT)
    return tokenizer.encode(plain) if end is None else [end]


def encode_texts(texts: str | Sequence[str], tokenizer: Tokenizer, *, allow_special: bool = False) -> list[int]:
    """Encode a text, or several with a border between two.

    Args:
        texts: one text, or several.
        tokenizer: what makes the ids.
        allow_special: whether the text of a special token becomes that token.
    """
    ids: list[int] = []
    for i, text in enumerate([texts] if isinstance(texts, str) else texts):
        ids += encode_border(tokenizer) if i else []
        ids += tokenizer.encode(text, allow_special=True) if allow_special else tokenizer.encode(text)
    return ids
