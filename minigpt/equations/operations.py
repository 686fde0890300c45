r"""What the signs of a formula mean in float64.

A vector is a column after a matrix and a row before one; vector by vector needs ``\cdot``, ``\odot`` or ``\top``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.equations.errors import quantity

CONSTANTS = {"e": math.e, r"\pi": math.pi, r"\infty": math.inf}
FUNCTIONS: dict[str, Callable] = {
    **{rf"\{name}": getattr(np, name) for name in ("exp", "log", "sin", "cos", "tanh")},
    r"\ln": np.log,
    r"\log_2": np.log2,
    r"\log_{2}": np.log2,
    r"\log_{10}": np.log10,
    r"\operatorname{erf}": np.vectorize(math.erf, otypes=[float]),
    r"\operatorname{sign}": np.sign,
}
COMBINE: dict[str, Callable] = {r"\sum": np.add, r"\prod": np.multiply, r"\max": np.maximum, r"\min": np.minimum}
ARG_EXTREMA: dict[str, Callable] = {r"\arg\max": np.argmax, r"\arg\min": np.argmin}
RELATIONS = {"<": np.less, ">": np.greater, r"\le": np.less_equal, r"\ge": np.greater_equal, r"\ne": np.not_equal}
ARITHMETIC: dict[str, Callable] = {
    "add": np.add,
    "subtract": np.subtract,
    "negative": np.negative,
    "group": np.positive,
    "hadamard": np.multiply,
    "quotient": np.divide,
    "fraction": np.divide,
    "modulo": np.mod,
    "power": np.power,
    "root": np.sqrt,
    "absolute": np.abs,
    "ceiling": np.ceil,
    "floor": np.floor,
    "equality": np.equal,
    "indicator": np.float64,
}


class RowVector(NamedTuple):
    r"""$u^\top$ as a factor of a product."""

    entries: np.ndarray


def n_elements(operation: Callable, values: Sequence[Any]) -> int:
    """The elements of the largest array that an operation on these values reads or makes; 0 if it selects entries."""
    values = values[1] if operation is elementwise else values
    if operation is entries or {np.ndarray, RowVector}.isdisjoint(map(type, values)):
        return 0
    arrays = [a for each in values if isinstance(a := getattr(each, "entries", each), np.ndarray) and a.ndim]
    sizes = [array.size for array in arrays]
    if operation is product and len(arrays) == 2:
        is_outer, (left, right) = isinstance(values[1], RowVector), arrays
        sizes.append(math.prod(sizes) if is_outer else math.prod((*left.shape[:-1], *right.shape[1:])))
    return max(sizes, default=0)


def elementwise(kind: str, values: list[Any], function: Callable) -> Any:
    """A function of each element of its arguments.

    Args:
        kind: of the node, a key of ``ARITHMETIC`` or "reduce".
        values: the arguments.
        function: what to apply.

    Raises:
        ValueError: if the shapes differ, or the result would be ambiguous.
    """
    shapes = [np.shape(value) for value in values]
    if len({shape for shape in shapes if shape}) > 1:
        raise ValueError(f"shapes {' and '.join(map(str, shapes))} do not fit")
    if kind in ("power", "quotient", "fraction") and any(len(shape) > 1 for shape in shapes):
        raise ValueError("a quotient or power of matrices is ambiguous; write it with indices")
    if kind == "absolute" and shapes[0]:
        raise ValueError(r"bars around an array are ambiguous; write |x_i| of an entry or \lVert x \rVert for a norm")
    return function(*values)


def relations_hold(sides: Sequence[Any], signs: Sequence[str]) -> bool:
    r"""Whether each relation of ``a < b \le c`` holds.

    Args:
        sides: the numbers.
        signs: the relations between them, keys of ``RELATIONS``.

    Raises:
        ValueError: for arrays.
    """
    return all(is_true(RELATIONS[sign](*sides[i : i + 2])) for i, sign in enumerate(signs))


def is_true(condition: Any) -> bool:
    """The truth of a condition.

    Raises:
        ValueError: for arrays.
    """
    if np.ndim(condition):
        raise ValueError("a condition compares numbers, not arrays; write it with indices")
    return bool(condition)


def entries(name: str, array: Any, at: Sequence[int | slice]) -> Any:
    """Entries of an array by indices that count from 1.

    Args:
        name: of the array.
        array: a number or an array.
        at: an index or a slice for each of its first axes.

    Raises:
        ValueError: for more indices than axes, and an index that is out of range.
    """
    if len(at) > np.ndim(array):
        axes = quantity(np.ndim(array), "axis", "axes")
        raise ValueError(f"{name} has {axes} and is written with {quantity(len(at), 'index', 'indices')}")
    for index, length in zip(at, np.shape(array), strict=False):
        if isinstance(index, int) and not 1 <= index <= length:
            fix = "bound the sum, declare a shorter shape or write cases"
            raise ValueError(f"index {index} of {name} is outside 1..{length}; {fix}")
    return array[tuple(index if isinstance(index, slice) else index - 1 for index in at)] if at else array


def product(left: Any, right: Any) -> Any:
    """A number, a vector, a row or a matrix times another.

    Raises:
        ValueError: if the shapes do not fit, or a sign is missing between two vectors.
    """
    if isinstance(left, RowVector) and not isinstance(right, RowVector):
        value = product(left.entries, right) if np.ndim(right) != 1 else _inner(left.entries, right)
        return value if np.ndim(right) == 1 else RowVector(value)
    if isinstance(right, RowVector) and not isinstance(left, RowVector) and np.ndim(left) < 2:
        return np.outer(left, right.entries) if np.ndim(left) else RowVector(left * right.entries)
    if isinstance(left, RowVector) or isinstance(right, RowVector):
        raise ValueError(r"x^\top is a row here, and a row comes after a number or a vector")
    if not np.ndim(left) or not np.ndim(right):
        return left * right
    if np.ndim(left) == np.ndim(right) == 1:
        raise ValueError(r"a vector times a vector is ambiguous; write x \cdot y, x \odot y, x^\top y or x y^\top")
    if np.ndim(left) > 2 or np.ndim(right) > 2 or np.shape(left)[-1] != np.shape(right)[0]:
        raise ValueError(f"cannot multiply shapes {np.shape(left)} and {np.shape(right)}")
    return left @ right


def _inner(left: np.ndarray, right: np.ndarray) -> Any:
    if left.shape != right.shape:
        raise ValueError(f"cannot multiply shapes {left.shape} and {right.shape}")
    return left @ right


def dot(left: Any, right: Any) -> Any:
    r"""``\cdot``: of two vectors the sum of the products of their entries; a number times anything.

    Raises:
        ValueError: for a matrix, and for vectors of different lengths.
    """
    if not np.ndim(left) or not np.ndim(right):
        return left * right
    if np.ndim(left) > 1 or np.shape(left) != np.shape(right):
        raise ValueError(rf"\cdot needs two vectors of one length, got {np.shape(left)} and {np.shape(right)}")
    return np.sum(left * right)


def norm(value: Any, index: Any = None) -> Any:
    r"""``\lVert x \rVert_p`` of a vector; without an index the root of the sum of all squares, also of a matrix.

    Args:
        value: an array or a number.
        index: p, at least 1; may be infinite.

    Raises:
        ValueError: for another index, and for one at an array with several axes.
    """
    if index is None or (np.ndim(value) < 2 and np.array_equal(index, 2)):
        return np.sqrt(np.sum(np.square(value)))
    if np.ndim(value) > 1:
        raise ValueError(r"a norm of a matrix has no index here; \lVert A \rVert is the root of the sum of its squares")
    if np.ndim(index) or not index >= 1:
        raise ValueError(rf"the index of a norm is a number of at least 1, such as 1, 2 or \infty; got {index}")
    if np.isinf(index):
        return np.max(np.abs(value), initial=0.0)
    return np.sum(np.abs(value) ** index) ** (1 / index)


OF_VECTORS: dict[str, Callable] = {"dot": dot, "norm": norm}
