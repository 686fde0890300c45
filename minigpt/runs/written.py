"""Settings in a file: the JSON of a run folder, or TOML that a person wrote."""

import tomllib
from pathlib import Path
from typing import Any

from minigpt.files.json_object import LIMIT, read_object
from minigpt.files.verified import read_plain


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file: tables "source", "model" and "training", and beside them "preset" and "recipe".

    Args:
        path: of a file that ends in ``.toml``, or of a JSON file.

    Raises:
        ValueError: if it is missing or is not of its kind.
    """
    if path.suffix.lower() != ".toml":
        return read_object(path)
    data = read_plain(path, str(path), limit=LIMIT)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
