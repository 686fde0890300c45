"""What :func:`minigpt.equations.equation` returns, for type checkers: the same signature, and ``.equation``.

At run time a decorated function is the function itself, with one more attribute. The classes here only describe it, so
that an editor knows both the attribute and the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from minigpt.equations.formula import Equation

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R", covariant=True)
S = TypeVar("S")
C = TypeVar("C")


class Decorated(Protocol[P, R]):
    """A function that implements an equation."""

    __name__: str
    __qualname__: str
    __module__: str
    equation: Equation

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function itself takes and returns."""
        ...

    # A method loses its first parameter where an instance is asked for it.
    @overload
    def __get__(self, instance: None, owner: Any = None, /) -> Decorated[P, R]: ...
    @overload
    def __get__(self: Decorated[Concatenate[Any, Q], S], instance: object, owner: Any = None, /) -> Callable[Q, S]: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...


class Decorator(Protocol):
    """What ``equation(...)`` returns; a class that it decorates declares ``equation: ClassVar[Equation]`` itself."""

    @overload
    def __call__(self, function: type[C], /) -> type[C]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: Callable[P, S], /) -> Decorated[P, S]: ...
