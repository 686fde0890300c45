"""Settings in a file: the JSON of a run folder, or TOML that a person wrote."""

import tomllib
from pathlib import Path
from typing import Any

from minigpt.files.json_object import read_object


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file: tables "source", "model" and "training", and beside them "preset" and "recipe".

    Args:
        path: of a file that ends in ``.toml``, or of a JSON file.

    Raises:
        ValueError: if it is missing or is not of its kind.
    """
    if path.suffix.lower() != ".toml":
        return read_object(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
