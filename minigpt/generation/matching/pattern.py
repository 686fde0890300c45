"""What a text must match as a whole: a regular expression, or one of a list of texts."""

from collections.abc import Sequence
from typing import Any

import regex

from minigpt.settings import shown

MATCH_SECONDS = 2.0  # for one comparison of a pattern with a text


class TextPattern:
    """What a text must match as a whole.

    Args:
        expected: a regular expression, or a list of texts of which one is chosen.

    Raises:
        ValueError: if it is neither, or an expression with a mistake.
    """

    def __init__(self, expected: str | Sequence[str]) -> None:
        if not isinstance(expected, str):
            if isinstance(expected, bytes) or not isinstance(expected, Sequence) or not expected:
                raise ValueError(f"match must be a regular expression or a list of texts, got {shown(expected)}")
            if wrong := [each for each in expected if not isinstance(each, str) or not each]:
                raise ValueError(f"match has {shown(wrong[0])} in its list; expected texts of at least one character")
            expected = "|".join(map(regex.escape, expected))
        try:
            self.compiled = regex.compile(expected)
        except (regex.error, RecursionError) as error:
            raise ValueError(f"match={shown(expected)} is not a regular expression: {error}") from None
        self.expected = expected

    def begins(self, text: str) -> bool:
        """Whether a text is a match, or the beginning of one."""
        return self._compared(text, partial=True) is not None

    def matches(self, text: str) -> bool:
        """Whether the whole text is a match."""
        return self._compared(text, partial=False) is not None

    def _compared(self, text: str, *, partial: bool) -> Any:
        try:
            return self.compiled.fullmatch(text, partial=partial, timeout=MATCH_SECONDS)
        except TimeoutError:
            raise ValueError(
                f"match={shown(self.expected)} takes over {MATCH_SECONDS:g} s on a text of {len(text)} characters; "
                "nested repetitions such as (a+)+ do: write it without them"
            ) from None
