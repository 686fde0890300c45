"""What a caller gives as a path."""

import os
from pathlib import Path


def as_path(value: object, name: str) -> Path:
    """A path that a caller gave.

    Args:
        value: a text or a path.
        name: of the argument, for an error.

    Raises:
        ValueError: if it is something else, an empty text, or a text that no path can be.
    """
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and text and "\0" not in text:
            return Path(text)
    raise ValueError(f"{name}={value!r:.100} is not a path; give a text such as 'runs/first' or a pathlib.Path")
