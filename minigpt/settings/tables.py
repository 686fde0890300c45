"""A configuration as a table of plain values: its rules resolved, its way to JSON, and back onto a base."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from minigpt.settings.checks import fit, nearest, options_of, shown
from minigpt.settings.fields import kinds, rule_of

_Part = TypeVar("_Part")


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
    if not isinstance(table, Mapping):
        raise ValueError(f"{path.removesuffix('.') or 'what is given'} must be a table of settings, got {shown(table)}")
    known: dict[str, Any] = kinds(_class(base))
    changes: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{path}{name}"
        if name not in known:
            raise ValueError(f"{place[:100]} is not a setting{nearest(str(name), known)}")
        own = getattr(base, name)
        if dataclasses.is_dataclass(own):
            changes[name] = overlaid(own, value, f"{place}.")
        else:
            word = value == "none" and type(None) in options_of(known[name])
            changes[name] = None if word else fit(place, value, known[name])
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]


def _class(part: object) -> Any:
    return type(part)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_object(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, Path) else value
