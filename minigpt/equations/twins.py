"""Fast twins: code that computes what a readable formula computes, in less time or memory.

::

    the equation ── tests ── the readable formula ── tests ── its fast twins

The formula always exists and is the reference. A twin declares which formula it replaces, its largest error, and why it
is faster; tests/equations/test_twins.py checks each declared twin against its error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

F = TypeVar("F", bound=Callable)
Gradient = Literal["autograd", "by hand", "none"]
#: The distance from 1 to the next number of each dtype.
SPACING = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_twins: dict[str, FastTwin] = {}


@dataclass(frozen=True, eq=False, kw_only=True)
class FastTwin:
    """A fast function, and what its declaration promises.

    Attributes:
        function: the fast one.
        formula: the readable function that it replaces: the reference.
        error: the largest error of its results and of their gradients in float32, against the formula in float64,
            relative to the largest magnitude of each; 0 if it returns the formula's bits in every dtype.
        gradient: where its gradient comes from: "autograd", PyTorch's; "by hand", a backward pass of its own; "none".
        when: when it runs, in Markdown.
        faster: what makes it faster.
        exact: what is exact beyond the error, if anything.
        bfloat16: whether the error holds in bfloat16 as well, scaled to its spacing.
    """

    function: Callable[..., Any]
    formula: Callable[..., Any]
    error: float
    gradient: Gradient
    when: str
    faster: str
    exact: str = ""
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.error < 1:
            raise ValueError(
                f"error={self.error} of the twin {self.name} must be at least 0 and less than 1: it is a relative error"
            )
        if self.function is self.formula:
            raise ValueError(f"{self.name} is declared as its own twin; of= takes the readable formula")

    @property
    def name(self) -> str:
        """The module and name of the function, such as "model.norms.fast_rms_norm"."""
        return short_name(self.function)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes in which the error holds."""
        return ("float32", "float64", "bfloat16") if self.bfloat16 else ("float32", "float64")

    def bound(self, dtype: Any) -> float:
        """The largest relative error in a dtype: that in float32, scaled by the spacing of the dtype's numbers.

        Args:
            dtype: a torch dtype, or its name, such as "float64".
        """
        return self.error * SPACING[str(dtype).removeprefix("torch.")] / SPACING["float32"]

    def __repr__(self) -> str:
        within = f"within {self.error:.0e}" if self.error else "exactly"
        return f"{self.name} stands for {short_name(self.formula)} {within}"


def fast_twin(
    of: Callable[..., Any],
    *,
    error: float,
    gradient: Gradient,
    when: str,
    faster: str,
    exact: str = "",
    bfloat16: bool = False,
) -> Callable[[F], F]:
    """Declare the decorated function a fast twin of a readable one; :func:`all` then lists it.

    Args:
        of: the readable formula.
        error: as all others, an attribute of :class:`FastTwin`.
        gradient: "autograd", "by hand" or "none".
        when: when it runs.
        faster: what makes it faster.
        exact: what is exact beyond the error.
        bfloat16: whether the error holds in bfloat16.

    Raises:
        ValueError: if the error is negative, 1 or more, or the function is its own formula.
    """

    def declare(function: F) -> F:
        twin = FastTwin(
            function=function, formula=of, error=error, gradient=gradient, when=when, faster=faster, exact=exact,
            bfloat16=bfloat16,
        )  # fmt: skip
        _twins[twin.name] = twin
        function.fast_twin = twin  # type: ignore[attr-defined]
        return function

    return declare


def all() -> tuple[FastTwin, ...]:
    """The declared twins, as the code was imported."""
    return tuple(_twins.values())


def of(formula: Callable[..., Any]) -> tuple[FastTwin, ...]:
    """The twins of one formula.

    Args:
        formula: such as ``mg.rms_norm``.
    """
    return tuple(twin for twin in all() if twin.formula is formula)


def short_name(function: Callable[..., Any]) -> str:
    """The module and name of a function, without the name of the package."""
    return f"{function.__module__}.{function.__qualname__}".removeprefix("minigpt.")
