"""Split patterns: the regular expression that cuts a text into pieces before anything is joined.

A pattern may come with a tokenizer's file, from anywhere. It is used only if its pieces put end to end are the text, if
none is empty, and if it can be compiled and matched within a budget of size and time.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

#: Where GPT-2's tokenizer cuts before it merges: words, numbers, signs and spaces, as a regular expression.
GPT2_SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS_AND_SIGNS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# The split patterns of published vocabularies. That of SmolLM2 is GPT-2's after every digit was cut off by itself; the
# white space before a digit then ends a text, so that GPT-2's rule leaves none of it to what follows.
SPLITS = {
    "gpt2": GPT2_SPLIT,
    "smollm": r"\p{N}|'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+",
    "llama3": f"{_CONTRACTIONS}|{_WORDS_AND_SIGNS % '{1,3}'}",
    "qwen2": f"{_CONTRACTIONS}|{_WORDS_AND_SIGNS % ''}",
}

MOST_NESTED = 50  # groups in groups
LARGEST_PATTERN = 10_000  # characters, counted repeats written out
PROBE_SECONDS, SECONDS, CHARACTERS_A_SECOND = 1, 10, 10_000  # patterns in use take a thousandth of it

_PROBE = "aZ éß我们e\u0301, 12٣¾ \t\r\n\n \u3000!?'s'LL–\U0001f600\0\x1c\x85\u2028\u00a0\u200b \r" + "".join(
    character * 40 + "." for character in "aA1! \n"
)
_BLANKS = re.compile(r"\s{64,}+")
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d*),?(\d*)\}|.", re.DOTALL)


@lru_cache
def compile_pattern(pattern: str) -> Any:
    """Compile a split pattern, and try it on a short text of many kinds of characters.

    Raises:
        ValueError: if it is not a regular expression, is too large, has a capturing group, matches the empty text,
            leaves out part of a text, or takes too long.
    """
    import regex

    _check_size(pattern)
    try:
        compiled = regex.compile(pattern)
    except (regex.error, RecursionError, MemoryError, OverflowError) as error:
        raise ValueError(f"split pattern {pattern!r:.200} is not a regular expression: {error}; correct it") from None
    if compiled.groups:
        raise ValueError(f"split pattern {pattern!r:.200} has a capturing group; write (?:...) for (...)")
    if "" in _pieces(compiled, _PROBE, PROBE_SECONDS):
        raise ValueError(f"split pattern {pattern!r:.200} matches the empty text; write + for *")
    return compiled


def split_pieces(pattern: str, text: str) -> list[str]:
    """The pieces of a text; put end to end, they are the text.

    Raises:
        ValueError: if the pattern cannot be used, leaves out part of the text, or takes too long.
    """
    return _pieces(compile_pattern(pattern), text, SECONDS + len(text) / CHARACTERS_A_SECOND)


def leaves_out_part(pattern: str) -> ValueError:
    """The error for a pattern that does not match all of a text."""
    return ValueError(f"split pattern {pattern!r:.200} leaves out part of the text; end it with |.|\\s")


def _pieces(compiled: Any, text: str, seconds: float) -> list[str]:
    try:
        pieces: list[str] = compiled.findall(text, timeout=seconds)
    except TimeoutError:
        raise ValueError(
            f"split pattern {compiled.pattern!r:.200} takes over {seconds:.0f} s for {len(text):,} characters; "
            "leave out repeats of what is repeated"
        ) from None
    if sum(map(len, pieces)) < len(text):
        raise leaves_out_part(compiled.pattern)
    return pieces


def _check_size(pattern: str) -> None:
    """Refuse what would take long to compile: groups in groups, or repeats of repeats, beyond any real pattern."""
    sizes, last = [0], 0  # of the groups that are open, and of the part before a repeat
    for part in _PART.finditer(pattern):
        text = part[0]
        if text == "(":
            sizes.append(0)
            last = 0
        elif text == ")" and len(sizes) > 1:
            last = sizes.pop() + 1
            sizes[-1] += last
        else:
            counts = [min(int(digits[:9]), LARGEST_PATTERN + 1) for digits in part.groups() if digits]
            added = last * (max(counts) - 1) if counts else 1
            last = last + added if counts else 1
            sizes[-1] += max(added, 0)
        if len(sizes) > MOST_NESTED or max(sizes[-1], last) > LARGEST_PATTERN:
            raise ValueError(
                f"split pattern {pattern!r:.80} is too large: over {LARGEST_PATTERN:,} characters with its repeats "
                f"written out, or {MOST_NESTED} groups in each other; use a simpler one"
            )


def has_long_blank(text: str, longest: int) -> bool:
    """Whether a text has more white space in one place than some characters.

    Args:
        text: any; most need only a look at every block of half that length, which such white space would fill.
        longest: the characters.
    """
    half = longest // 2
    if not any(text[start : start + half].isspace() for start in range(0, len(text), half)):
        return False
    return any(len(blank[0]) > longest for blank in _BLANKS.finditer(text))


def special_splitter(special_tokens: Iterable[str]) -> Callable[[str], list[str]]:
    """A function that cuts a text before and after each special token; the longest wins where several fit."""
    longest_first = sorted(special_tokens, key=len, reverse=True)
    nothing = "(?!)"
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")" if longest_first else nothing).split


@lru_cache
def spell_out_classes(pattern: str) -> str:
    r"""Replace each ``\p{...}`` of a pattern by the ranges of code points it stands for in the ``regex`` module."""
    return re.sub(r"\\p\{\w+\}", lambda found: "[" + "".join(_ranges(found[0])) + "]", pattern)


def _ranges(character_class: str) -> Iterator[str]:
    import regex

    code_points = np.arange(0x110000, dtype="<u4")
    code_points[0xD800:0xE000] = 0  # surrogates are in no UTF-8 text
    every_character = code_points.tobytes().decode("utf-32-le")
    for run in regex.finditer(character_class + "+", every_character):
        yield rf"\U{run.start():08X}-\U{run.end() - 1:08X}"
