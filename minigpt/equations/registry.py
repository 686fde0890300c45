"""The equations that code implements, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from minigpt.equations.decorated import Decorator
from minigpt.equations.formula import Equation

SEED = "the seed document"
_registry: dict[str, Equation] = {}


def equation(
    name: str,
    latex: str,
    *,
    where: Sequence[str] = (),
    symbols: Mapping[str, str] | None = None,
    source: str = "",
) -> Decorator:
    """Decorate the function that implements an equation: it gets ``.equation``, and `all` lists it.

    The arguments are those of `Equation`.

    Raises:
        ValueError: if another function has registered ``name``.
    """

    def register(function: Any) -> Any:
        function.equation = Equation(name, latex, where, symbols or {}, source, function)
        old: Any = _registry[name].function if name in _registry else function
        if (old.__module__, old.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(
                f"the equation {name!r} belongs to {old.__module__}.{old.__qualname__}; choose another name"
            )
        _registry[name] = function.equation
        return function

    return register


def all() -> tuple[Equation, ...]:
    """The registered equations: those of the seed document first, then the others in the order of their import."""
    return tuple(sorted(_registry.values(), key=lambda equation: not equation.source.startswith(SEED)))


def get(name: str) -> Equation:
    """The registered equation of that name.

    Args:
        name: such as "causal-attention".

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    if not isinstance(name, str):
        raise ValueError(f"an equation is named by a text, such as 'causal-attention', got {name!r:.80}")
    if name not in _registry:
        near = difflib.get_close_matches(name, _registry, n=3, cutoff=0.3)
        raise ValueError(f"no equation {name!r}; did you mean {' or '.join(near) or 'one of mg.equations.all()'}?")
    return _registry[name]
