"""Whether a value can be what a field is declared to be; where it can't, one message that says what is expected."""

import difflib
import math
import numbers
import operator
import reprlib
import types
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from minigpt.settings.fields import Range, declared, kinds


def check_types(part: Any) -> None:
    """Give each field of a dataclass the type that it declares, where nothing is lost by that; for ``__post_init__``.

    Raises:
        ValueError: naming the field, its type or its range, and the value, such as "steps must be int, got 1.5".
    """
    declared_in: Any = type(part)
    for name, kind in kinds(declared_in).items():
        object.__setattr__(part, name, fit(name, getattr(part, name), kind))


def fit(name: str, value: Any, kind: Any) -> Any:
    """The value in the type of a field: an int may become a float, a text a path, and nothing else changes.

    Args:
        name: of the field, for the message.
        value: what was given; numbers of NumPy are numbers.
        kind: the annotation of the field; the choices of a ``Literal`` are the part's own to check.

    Raises:
        ValueError: if the value has another type, or is a number outside the field's range.
    """
    for option in options_of(kind):
        if (found := _as(option, value)) is not _MISFIT:
            _check_range(name, found, kind)
            return found
    expected = " or ".join(_word(option) for option in options_of(kind))
    raise ValueError(f"{name} must be {expected}, got {shown(value)}")


def options_of(kind: Any) -> tuple[Any, ...]:
    """The types of which a value may have one: ``int | None`` has two."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Args:
        name: of the setting or argument, for the message.
        value: what was given.
        choices: what is known, in the order in which the message lists it.

    Raises:
        ValueError: naming the setting, the value, every choice, and the nearest.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")
    if value not in choices:
        known = f"choose one of {', '.join(choices)}{nearest(value, choices)}"
        raise ValueError(f"{name}={shown(value)} is unknown; {known}")


def nearest(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: the known one that is most like it, if there is one."""
    found = difflib.get_close_matches(name[:100].lower(), list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def meant_share(value: object, allowed: Range) -> str:
    """The end of a message about a share that was given in percent, such as "; did you mean 0.43?"; nothing otherwise.

    Args:
        value: that is outside of the range.
        allowed: the range; only one that ends at 1.0 is of shares.
    """
    is_share = isinstance(allowed.most, float) and allowed.most == 1
    if not is_share or not isinstance(value, int | float) or not 2 <= value <= 100:  # 1.1 is rather a slip than 1.1 %
        return ""
    return f"; did you mean {value / 100:g}?" if allowed.holds(value / 100) else ""


def shown(value: object) -> str:
    """A value as a message shows it: short, however large the value is."""
    return _SHORT.repr(value)


def whole_number(name: str, value: object, low: int, high: int | None = None) -> int:
    """A whole number within bounds; numbers of NumPy are numbers.

    Args:
        name: of the argument, for the message.
        value: what was given.
        low: the least that is allowed.
        high: the most; ``None``: there is no such bound.

    Raises:
        ValueError: if it is something else.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        allowed = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name}={shown(value)} must be a whole number, {allowed}")
    return number


def counted(n: int, noun: str) -> str:
    """A number with its noun, in the singular for one: "1 layer", "2,000 steps".

    Args:
        n: how many.
        noun: in the singular; its plural ends in s.
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write a number of 4,301 digits, and nobody wants to read one."""
        digits = int(x.bit_length() * math.log10(2)) + 1
        return repr(x) if digits <= 40 else f"a number of about {digits:,} digits"


_SHORT = _Short()
_MISFIT = object()


def _check_range(name: str, value: Any, kind: Any) -> None:
    allowed = declared(kind, Range)
    if allowed is not None and isinstance(value, int | float) and not allowed.holds(value):
        raise ValueError(f"{name}={shown(value)} must {allowed}{allowed.hint}{meant_share(value, allowed)}")


def _as(kind: Any, value: Any) -> Any:
    """``value`` in the type ``kind``, or ``_MISFIT``."""
    convert = {int: _integer, float: _number, Path: _path}.get(kind)
    if convert is not None:
        return _MISFIT if isinstance(value, bool) else convert(value)
    origin = get_origin(kind)  # of a mapping; what is in it, its own part checks
    exact = str if origin is Literal else origin or kind
    return value if isinstance(value, exact) else _MISFIT


def _integer(value: Any) -> Any:
    try:
        return int(operator.index(value))
    except TypeError:
        return _MISFIT


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return math.inf if value == "inf" else _MISFIT
    try:
        return float(value) if isinstance(value, numbers.Real) or _integer(value) is not _MISFIT else _MISFIT
    except OverflowError:  # an int that no float can hold
        return _MISFIT


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str | Path) and value != "" else _MISFIT


def _word(kind: Any) -> str:
    if kind is type(None):
        return "None"
    return {Path: "a path", str: "a text"}.get(kind, "a text" if get_origin(kind) is Literal else kind.__name__)
