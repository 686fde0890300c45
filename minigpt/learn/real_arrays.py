"""What automatic differentiation accepts: arrays of real numbers whose shapes fit, and one sentence for all else."""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy import ndarray as Array


def as_float64(data: Any) -> Array:
    """A copy in float64; anything but real numbers raises a ValueError."""
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError):  # rows of different lengths; a tensor of PyTorch with a gradient
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        kind = {"c": "complex numbers", "U": "text", "S": "bytes"}.get(array.dtype.kind, f"a {type(data).__name__}")
        raise ValueError(f"a tensor got {kind}; expected real numbers: one, an array, or lists of equal lengths")
    return array.astype(np.float64)


def applied(sign: str, operation: np.ufunc, a: Array, b: Array) -> Array:
    """The value of an operation; shapes that do not fit raise a ValueError that says what does.

    Args:
        sign: of the operation, such as "+".
        operation: NumPy's function.
        a: first operand.
        b: second operand.
    """
    with suppress(ValueError):
        if sign != "@" or min(a.ndim, b.ndim) > 1:
            return operation(a, b)
    rule = "(..., n, m) and (..., m, k)" if sign == "@" else "equal lengths, or 1, in each axis from the last"
    raise ValueError(f"a {sign} b got shapes {a.shape} and {b.shape}; expected {rule}: use reshape or transpose")


def refuse_empty(a: Array, name: str, axis: Any) -> None:
    """Refuse the mean or the maximum of no numbers.

    Args:
        a: the numbers.
        name: what is asked for.
        axis: along which.
    """
    if not a.size and a.sum(axis).size:  # nothing to take it of, but a number is asked for
        raise ValueError(f"{name} got shape {a.shape} and axis={axis}: 0 numbers have no {name}; only sum is 0")
