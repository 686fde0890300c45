"""What came back from the other process: checked, and turned into arrays of float64."""

import base64
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Form = Literal["array", "list", "none", "other", "large"]
NUMBER_BYTES = {"<f8": 8, "<i8": 8, "|b1": 1, "<c16": 16}
#: The deepest list that is read.
DEEPEST_READ = 12


class GarbageError(ValueError):
    """What came back isn't what the other process sends."""


@dataclass(frozen=True)
class Found:
    """A result, or an argument after the call.

    Args:
        form: an array or a number; a list; ``None``; something else; or more numbers than anyone asked for.
        dtype: of an array, as its library calls it, or the name of the type of something else.
        array: of an array.
        items: of a list.
        shape: of an array that is too large.
    """

    form: Form
    dtype: str = ""
    array: np.ndarray = field(default_factory=lambda: np.zeros(0))
    items: tuple["Found", ...] = ()
    shape: tuple[int, ...] = ()

    def as_array(self) -> "Found | None":
        """One array, lists put together; ``None`` if it is no array."""
        if self.form == "array":
            return self
        rows = [item.as_array() for item in self.items]
        if self.form != "list" or any(row is None for row in rows):
            return None
        arrays = [row.array for row in rows if row is not None]
        if len({array.shape for array in arrays}) > 1:
            return None
        dtypes = {row.dtype for row in rows if row is not None}
        dtype = dtypes.pop() if len(dtypes) == 1 else "float64" if dtypes - {"bool", "int"} else "int"
        return Found("array", dtype, np.stack(arrays) if arrays else np.zeros(0))


def decode(tree: Any, depth: int = 0) -> Found:
    """The result that a message holds.

    Args:
        tree: as ``worker.encode`` makes it; but a function under test may have written anything.
        depth: of the list that it is in.

    Raises:
        GarbageError: if it is anything else.
    """
    try:
        form = tree["form"]
        if form == "list" and depth < DEEPEST_READ:
            return Found("list", items=tuple(decode(item, depth + 1) for item in tree["items"]))
        if form == "large":
            return Found("large", shape=tuple(map(int, tree["shape"])))
        if form == "none":
            return Found("none")
        if form == "other":
            return Found("other", str(tree["type"])[:80])
        if form == "array":
            kind, shape, data = tree["kind"], [int(n) for n in tree["shape"]], base64.b64decode(tree["data"])
            if min([0, *shape]) >= 0 and len(data) == math.prod(shape) * NUMBER_BYTES[kind]:
                return Found("array", str(tree["dtype"])[:80], np.frombuffer(data, kind).reshape(shape))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        pass
    raise GarbageError("the result isn't readable")
