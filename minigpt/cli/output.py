"""What a command prints for programs to read: JSON on stdout, and nothing else there."""

import json
import math
from typing import Any


def print_json(figures: Any) -> None:
    """Print ``figures`` as JSON; a number that is not finite, which JSON does not have, becomes null.

    Args:
        figures: dictionaries, lists, tuples, strings, numbers and ``None``.
    """
    print(as_json(figures))


def as_json(figures: Any) -> str:
    """The text that :func:`print_json` prints, same arguments."""
    return json.dumps(_finite(figures), indent=1, ensure_ascii=False, allow_nan=False)


def _finite(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {name: _finite(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [_finite(value) for value in figures]
    return None if isinstance(figures, float) and not math.isfinite(figures) else figures
