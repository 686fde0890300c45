"""What a configuration is: a frozen dataclass whose fields have a type, may follow a rule, and go to JSON and back.

A field may be ``None`` "by the rule", such as ``learning_rate / 10``. The text that is shown is the text that is
evaluated, once, when the configuration is resolved; then everything reads plain values.

This module imports nothing of ours, so that each part of a configuration can live in the room that it describes.
"""

import dataclasses
import difflib
import math
import operator
import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Rule:
    """What a field is where it is ``None``.

    Attributes:
        formula: an expression of other fields, such as "learning_rate / 10".
        when: a condition on other fields; where it is false the field stays ``None``.
    """

    formula: str
    when: str = "True"

    def value(self, names: Mapping[str, Any]) -> Any:
        """The formula's value, or ``None`` where the condition is false."""
        scope = {"__builtins__": {}, "min": min, "max": max}
        return eval(self.formula, scope, dict(names)) if eval(self.when, scope, dict(names)) else None


class Mark(Enum):
    """What a change of a field can do to a run; a field without a mark decides its weights."""

    WATCHED = "what is shown and kept"
    SAME_NUMBERS = "how a number is computed, but not which"


@cache
def kinds(part: Any) -> dict[str, Any]:
    """The type of each field, with its rule and its mark."""
    hints = get_type_hints(part, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(part)}


def rule_of(part: Any, name: str) -> Rule | None:
    """The rule of a field, if it follows one."""
    return next((mark for mark in _marks(kinds(part)[name]) if isinstance(mark, Rule)), None)


@cache
def marked(part: Any, *marks: Mark) -> frozenset[str]:
    """The names of the fields that bear one of these marks."""
    return frozenset(name for name, kind in kinds(part).items() if any(mark in marks for mark in _marks(kind)))


def check_types(part: Any) -> None:
    """Give each field of a dataclass the type that it declares, where nothing is lost by that; for ``__post_init__``.

    Raises:
        ValueError: naming the field, its type and the value, such as "steps must be int, got 1.5".
    """
    for name, kind in kinds(_class(part)).items():
        object.__setattr__(part, name, fit(name, getattr(part, name), kind))


def fit(name: str, value: Any, kind: Any) -> Any:
    """The value in the type of a field: an int may become a float, a text a path, and nothing else changes.

    Args:
        name: of the field, for the message.
        value: what was given.
        kind: the annotation of the field; the choices of a ``Literal`` are the part's own to check.

    Raises:
        ValueError: if the value has another type.
    """
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    options = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)
    for option in options:
        if (found := _as(option, value)) is not _MISFIT:
            return found
    expected = " or ".join(_word(option) for option in options)
    raise ValueError(f"{name} must be {expected}, got {value!r}")


def resolved(part: _Part, **known: Any) -> _Part:
    """The same with each ``None`` that follows a rule replaced, in the order of the fields.

    Args:
        part: a dataclass.
        known: names that rules use and the part itself does not have.
    """
    names = {**known, **values(part)}
    for name in kinds(_class(part)):
        rule = rule_of(_class(part), name)
        if names[name] is None and rule is not None:
            names[name] = rule.value(names)
    return dataclasses.replace(part, **{name: names[name] for name in kinds(_class(part))})  # type: ignore[type-var]


def values(part: Any) -> dict[str, Any]:
    """The fields of a dataclass by name."""
    return {name: getattr(part, name) for name in kinds(_class(part))}


def to_object(part: Any) -> dict[str, Any]:
    """A dataclass as what JSON can hold; an infinite number becomes the text "inf"."""
    return {name: _plain(value) for name, value in values(part).items()}


def overlaid(base: _Part, table: Mapping[str, Any], path: str = "") -> _Part:
    """A copy of ``base`` in which the fields that a JSON or TOML object names have its values.

    Args:
        base: a dataclass, possibly of dataclasses.
        table: from the names of some fields to their values; a part's own table for a part. The word "none" stands for
            ``None``, which TOML lacks.
        path: where this part is in the whole, for messages.

    Raises:
        ValueError: naming a field that is unknown, with the nearest one, or has a value of another type.
    """
    known: dict[str, Any] = kinds(_class(base))
    changes: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{path}{name}"
        if name not in known:
            raise ValueError(f"{place} is not a setting{nearest(name, known)}")
        own = getattr(base, name)
        if dataclasses.is_dataclass(own):
            if not isinstance(value, Mapping):
                raise ValueError(f"{place} must be a table of settings, got {value!r}")
            changes[name] = overlaid(own, value, f"{place}.")
        else:
            changes[name] = None if value == "none" and _may_be_none(known[name]) else fit(place, value, known[name])
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Args:
        name: of the setting or argument, for the message.
        value: what was given.
        choices: what is known, in the order in which the message lists it.

    Raises:
        ValueError: naming the setting, the value and every choice.
    """
    if value not in choices:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(choices)}")


def nearest(name: str, known: Any) -> str:
    """The end of a message about an unknown name: the known one that is most like it, if there is one."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


_MISFIT = object()


def _class(part: object) -> Any:
    return type(part)


def _may_be_none(kind: Any) -> bool:
    return type(None) in get_args(get_args(kind)[0] if get_origin(kind) is Annotated else kind)


def _marks(kind: Any) -> tuple[Any, ...]:
    return kind.__metadata__ if get_origin(kind) is Annotated else ()


def _as(kind: Any, value: Any) -> Any:
    """``value`` in the type ``kind``, or ``_MISFIT``."""
    convert = {int: _integer, float: _number, Path: _path}.get(kind)
    if convert is not None:
        return _MISFIT if isinstance(value, bool) else convert(value)
    exact = str if get_origin(kind) is Literal else kind
    return value if isinstance(value, exact) else _MISFIT


def _integer(value: Any) -> Any:
    try:
        return operator.index(value)
    except TypeError:
        return _MISFIT


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return math.inf if value == "inf" else _MISFIT
    return float(value) if isinstance(value, float) or _integer(value) is not _MISFIT else _MISFIT


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str | Path) else _MISFIT


def _word(kind: Any) -> str:
    if kind is type(None):
        return "None"
    return {Path: "a path", str: "a text"}.get(kind, "a text" if get_origin(kind) is Literal else kind.__name__)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_object(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, Path) else value
