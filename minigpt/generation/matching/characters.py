r"""Which characters to try where a text ends inside one.

The first bytes of a character leave up to 262,144 characters open. A regular expression tells few of them apart:
``\d`` the digits from all others, ``[一-龥]`` those from 一 to 龥. So the characters fall into runs that an expression
treats alike, and one of each run is tried.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache

import regex

#: A set such as ``[^a-z]``, which may hold others, or an escape such as ``\d``.
SET_OR_ESCAPE = regex.compile(
    r"(?P<set>\[\^?\]?(?:[^][\\]|\\.|(?&set)|\[)*\])|\\[pPN]\{[^}]*\}|\\x..|\\u.{4}|\\U.{8}|\\.", regex.DOTALL
)
N_CHARACTERS = 0x110000
#: Of characters that take so many bytes, the first one.
FIRST = {2: 0x80, 3: 0x800, 4: 0x10000}
SURROGATES = 0xD800  # the first of them: no characters, and no text has them


def change_points(expression: str, flags: int) -> list[int]:
    """The code points at which an expression begins to treat characters otherwise, sorted; some more do no harm.

    Args:
        expression: a regular expression.
        flags: with which it was compiled.
    """
    parts = {match[0] for match in SET_OR_ESCAPE.finditer(expression)} | {"."}
    literals = set(SET_OR_ESCAPE.sub("", expression)) | {"\n"}
    points = {place for each in literals for place in (ord(each), ord(each) + 1)}
    if regex.search(r"\(\?[a-zA-Z0-9]*i", expression):  # a letter matches others than itself
        parts |= {regex.escape(each) for each in literals}
    for part in parts:
        points.update(_runs(part, flags & (regex.V1 | regex.ASCII)), _runs(part, flags | regex.IGNORECASE))
    return sorted(points)


def characters_beginning_with(part: bytes, points: list[int], seen: str) -> Iterator[str]:
    """One character of each run among those whose UTF-8 begins with ``part``.

    Args:
        part: the first bytes of a character.
        points: :func:`change_points` of an expression.
        seen: the text before, whose characters a back reference tells from all others.
    """
    low, high = _range_of(part)
    yield chr(low)
    for point in points[bisect_right(points, low) : bisect_left(points, high)]:
        yield chr(point)
    for character in set(seen):
        yield from (chr(each) for each in (ord(character), ord(character) + 1) if low < each < high)


def _range_of(part: bytes) -> tuple[int, int]:
    """The code points of the characters whose UTF-8 begins with these bytes, and the one after the last of them."""
    size = 2 if part[0] < 0xE0 else 3 if part[0] < 0xF0 else 4
    value = part[0] & (0x7F >> size)
    for byte in part[1:]:
        value = value << 6 | byte & 0x3F
    open_bits = 6 * (size - len(part))
    low, high = max(value << open_bits, FIRST[size]), min((value + 1) << open_bits, N_CHARACTERS)
    return low, SURROGATES if low < SURROGATES < high else high


@lru_cache(maxsize=256)
def _runs(part: str, flags: int) -> tuple[int, ...]:
    """Where the runs of characters that match a part of an expression begin, and where they end."""
    try:
        runs = regex.finditer(f"(?:{part})+", _all_characters(), flags=flags)
    except regex.error:  # a part of something longer, such as the name of a group
        return ()
    return tuple(place for run in runs for place in run.span())


@lru_cache(maxsize=1)
def _all_characters() -> str:
    return "".join(map(chr, range(N_CHARACTERS)))
