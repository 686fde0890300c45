"""The error that a formula raises, and the limits beyond which a formula is refused instead of read or evaluated."""

from __future__ import annotations

import re

#: Characters of a formula with its ``where`` definitions.
MAX_LENGTH = 10_000
#: Names that ``symbols`` and its shapes declare.
MAX_NAMES = 1_000
#: Levels of parentheses, fractions, indices and sums inside one another.
MAX_DEPTH = 100
#: Levels of entries that wait for one another, each with its own parts: a recurrence that is not evaluated in order.
MAX_WAITING = 200
#: Numbers, names, signs and function calls evaluated in one evaluation, and elements of the arrays that they act on.
MAX_OPERATIONS = 1_000_000
TOO_DEEP = (
    f"more than {MAX_WAITING} values wait for one another here; "
    "evaluate at smaller sizes, or write a recurrence from its first entry on"
)
LINE_WIDTH = 160
_OWN_LEFT_SIDE = re.compile(r"\\mathrm\{result\}(?:_\{[^}]*\})? = ")  # that an expression is given; nobody typed it


class EquationError(ValueError):
    """An equation cannot be read or evaluated; the message shows the line and points at the place.

    Args:
        message: what is wrong.
        text: the formula.
        position: of the character in it, from 0.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        start = text.rfind("\n", 0, position) + 1
        line, at = text[start:].split("\n", 1)[0], position - start
        own = _OWN_LEFT_SIDE.match(line)
        if own is not None and at >= own.end():
            line, at = line[own.end() :], at - own.end()
        line = "".join(sign if sign.isprintable() else "\ufffd" for sign in line.replace("\t", " "))
        if len(line) > LINE_WIDTH:
            first = max(0, at - LINE_WIDTH // 2)
            before, after = "…" * bool(first), "…" * (first + LINE_WIDTH < len(line))
            line, at = before + line[first : first + LINE_WIDTH] + after, at - first + len(before)
        super().__init__(f"{message}\n  {line}\n  {' ' * at}^")


def too_many(needed: int, limit: int) -> str:
    """The message about an evaluation of more operations than are done."""
    shown = f"{needed:,}" if needed < 1e12 else f"{needed:.0e}"
    return f"the evaluation needs {shown} operations or more; at most {limit:,} are done: evaluate it at smaller sizes"


def quantity(number: int, one: str, many: str = "") -> str:
    """A number and its noun.

    >>> quantity(1, "axis", "axes"), quantity(2_000, "term")
    ('1 axis', '2,000 terms')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def written(indices: tuple[int, ...]) -> str:
    """The indices of an entry.

    >>> written((2, 3))
    '2,3'
    """
    return ",".join(map(str, indices))
