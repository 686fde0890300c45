"""What a text must match as a whole: a regular expression, or one of a list of texts.

A text is compared as its UTF-8 bytes, which may end inside a character: then it is the beginning of a match if some
character that begins with these bytes leads on.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Protocol

import regex

from minigpt.generation.matching.characters import SET_OR_ESCAPE, change_points, characters_beginning_with
from minigpt.settings import shown
from minigpt.text.tokenizers.tokenizer import check_text

MATCH_SECONDS = 2.0  # for one comparison of a pattern with a text


class TextPattern(Protocol):
    """What a text must match as a whole.

    Attributes:
        expected: as it was given.
    """

    expected: str | Sequence[str]

    def begins(self, text: bytes) -> bool:
        """Whether a text is a match, or the beginning of one."""

    def matches(self, text: bytes) -> bool:
        """Whether the whole text is a match."""


def text_pattern(expected: str | Sequence[str]) -> TextPattern:
    """What a text must match.

    Args:
        expected: a regular expression, or a list of texts of which one is chosen.

    Raises:
        ValueError: if it is neither, an expression with a mistake, or has a lone surrogate.
    """
    if isinstance(expected, str):
        check_text(expected, "match")
        special = regex.search(r"[][\\^$.?*+{}()]", expected)
        return Expression(expected) if special else Texts(expected.split("|"), expected)
    if isinstance(expected, bytes) or not isinstance(expected, Sequence) or not expected:
        raise ValueError(f"match must be a regular expression or a list of texts, got {shown(expected)}")
    if wrong := [each for each in expected if not isinstance(each, str) or not each]:
        raise ValueError(f"match has {shown(wrong[0])} in its list; expected texts of at least one character")
    for each in expected:
        check_text(each, "match")
    return Texts(expected, expected)


class Texts:
    """One of a list of texts, found by bisection however long the list is.

    Args:
        texts: the list.
        expected: the same, as it was given.
    """

    def __init__(self, texts: Sequence[str], expected: str | Sequence[str]) -> None:
        self.expected = expected
        self.sorted = sorted({text.encode() for text in texts})

    def begins(self, text: bytes) -> bool:
        """Whether a text is one of the list, or the beginning of one."""
        place = bisect_left(self.sorted, text)
        return place < len(self.sorted) and self.sorted[place].startswith(text)

    def matches(self, text: bytes) -> bool:
        """Whether a text is one of the list."""
        place = bisect_left(self.sorted, text)
        return place < len(self.sorted) and self.sorted[place] == text


class Expression:
    """A regular expression.

    Args:
        expected: with the syntax of the package ``regex``, without what looks ahead.

    Raises:
        ValueError: if it has a mistake, or looks ahead.
    """

    def __init__(self, expected: str) -> None:
        try:
            self.compiled = regex.compile(expected)
        except (regex.error, RecursionError) as error:
            raise ValueError(f"match={shown(expected)} is not a regular expression: {error}") from None
        groups = SET_OR_ESCAPE.sub("", expected)
        if "(?=" in groups or "(?!" in groups or self.compiled.flags & regex.REVERSE:
            raise ValueError(
                f"match={shown(expected)} looks ahead or runs backwards, so the beginning of a text does not tell "
                "whether a match can follow; write what may come at each place, or give a list of texts"
            )
        self.expected: str | Sequence[str] = expected
        self._points: list[int] | None = None  # found once a text ends inside a character

    def begins(self, text: bytes) -> bool:
        """Whether a text is a match, or the beginning of one."""
        try:
            return self._compared(text.decode(), partial=True)
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":  # the bytes are no text, whatever follows
                return False
            whole, part = text[: error.start].decode(), text[error.start :]
        if self._points is None:
            self._points = change_points(str(self.expected), self.compiled.flags)
        candidates = characters_beginning_with(part, self._points, whole)
        return any(self._compared(whole + candidate, partial=True) for candidate in candidates)

    def matches(self, text: bytes) -> bool:
        """Whether the whole text is a match."""
        try:
            return self._compared(text.decode(), partial=False)
        except UnicodeDecodeError:
            return False

    def _compared(self, text: str, *, partial: bool) -> bool:
        try:
            found: Any = self.compiled.fullmatch(text, partial=partial, timeout=MATCH_SECONDS)
        except TimeoutError:
            raise ValueError(
                f"match={shown(self.expected)} takes over {MATCH_SECONDS:g} s on a text of {len(text)} characters; "
                "nested repetitions such as (a+)+ do: write it without them"
            ) from None
        return found is not None
