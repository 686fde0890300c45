"""Tokens as a reader can see them: line breaks, spaces at the start, half a character, marks that turn text around."""

import unicodedata
from collections.abc import Iterable, Sequence

from minigpt.text import Tokenizer

#: What names tokens: a tokenizer, a text for each position, or ``None`` for their ids.
Labels = Tokenizer | Sequence[str] | None

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # categories of characters that show nothing, or turn what follows
SPACE, LINE_BREAK = "·", "↵"


def token_texts(ids: Iterable[int], labels: Labels = None) -> list[str]:
    """A text for each token, in which every character shows.

    Args:
        ids: token ids.
        labels: a tokenizer, or a text for each of the ids; ``None`` gives the ids themselves.

    Raises:
        ValueError: if there are more or fewer texts than ids.
    """
    every = [int(i) for i in ids]
    if labels is None:
        return [str(i) for i in every]
    if isinstance(labels, Sequence):
        if len(labels) != len(every):
            raise ValueError(f"{len(labels)} labels for {len(every)} tokens: give one for each, or a tokenizer")
        return [visible(str(label)) for label in labels]
    return [visible(_text_of(labels.token_bytes(i))) for i in every]


def _text_of(piece: bytes) -> str:
    r"""A token's text; bytes that are no whole character are written ``\xe4``."""
    return piece.decode("utf-8", errors="backslashreplace")


def visible(text: str) -> str:
    """A text in which a space is ``·``, a line break ``↵``, and another character that shows nothing its number.

    Args:
        text: any text.
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in (" ", "\n"):
        return SPACE if character == " " else LINE_BREAK
    if unicodedata.category(character) in HIDDEN or (character.isspace()):
        return f"\\u{{{ord(character):x}}}"
    return character
