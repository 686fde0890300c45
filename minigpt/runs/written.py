"""Settings in a file: the JSON of a run folder, or TOML that a person wrote."""

import tomllib
from pathlib import Path
from typing import Any

from minigpt.files.json_object import read_object
from minigpt.files.plain import read_plain
from minigpt.runs.config import SETTINGS_LIMIT
from minigpt.settings import fit, shown

FILLER_PARTS = {"preset": "", "recipe": "", "task": "source", "from_pretrained": "source"}  # and the part where each is


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file: tables "source", "model" and "training", and beside them "preset" and "recipe".

    Args:
        path: of a file that ends in ``.toml``, or of a JSON file.

    Raises:
        ValueError: if it is missing, is not of its kind, or is far larger than settings can be.
    """
    if path.suffix.lower() != ".toml":
        return read_object(path, limit=SETTINGS_LIMIT)
    data = read_plain(path, str(path), limit=SETTINGS_LIMIT)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None


def fillers_of(table: dict[str, Any]) -> tuple[dict[str, str | None], dict[str, Any]]:
    """What fills a configuration before the settings of a file are laid over it, and those settings.

    Args:
        table: as :func:`read_settings` returns it.

    Returns:
        The preset, the recipe, the task and the pretrained model, each ``None`` if the file has none; and the table
        without preset and recipe.

    Raises:
        ValueError: if one of them is not a text, or the source is not a table.
    """
    source = table.get("source", {})
    if not isinstance(source, dict):
        raise ValueError(f"source must be a table of settings, got {shown(source)}")
    places = {"": table, "source": source}
    names = {name: fit(name, places[part].get(name), str | None) for name, part in FILLER_PARTS.items()}
    names = {name: None if value == "none" else value for name, value in names.items()}
    return names, {name: value for name, value in table.items() if FILLER_PARTS.get(name) != ""}
