"""The leaderboard: a JSON file of speedruns on different machines, to which ``minigpt speedrun --record`` adds.

::

    {"format": 1, "entries": [{"date": "2025-01-31", "track": "1.88", "seconds": 12.3, …}, …]}
"""

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from minigpt.bench.speedrun.protocol import SpeedrunText
from minigpt.bench.speedrun.report import SpeedrunReport, TrackResult
from minigpt.files.atomic import write_atomically
from minigpt.files.json_object import read_object
from minigpt.files.lock import alone_with
from minigpt.files.paths import as_path
from minigpt.files.verified import check_place

LEADERBOARD_FORMAT = 1


def read_leaderboard(path: str | Path) -> list[dict[str, Any]]:
    """The entries of a leaderboard, in the order in which they were added; none where there is no such file.

    Args:
        path: of the file.

    Raises:
        ValueError: if it is not a leaderboard.
    """
    file = as_path(path, "record")
    check_place(file)
    if not file.exists():
        return []
    table = read_object(file)
    number, entries = table.get("format"), table.get("entries")
    is_format = type(number) is int and number == LEADERBOARD_FORMAT  # true is 1, too
    if not is_format or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(
            f"{file} is not a leaderboard, which has format {LEADERBOARD_FORMAT} and a list of objects as entries; "
            "name another file, or one that does not exist yet"
        )
    return entries


def check_recordable(text: SpeedrunText) -> None:
    """Refuse a text that has no place on a leaderboard.

    Args:
        text: that is to be learnt, or was.

    Raises:
        ValueError: if it is not Tiny Shakespeare.
    """
    if not text.is_comparable:
        raise ValueError("the leaderboard is for Tiny Shakespeare, and --text is another text; leave one of them out")


def record(report: SpeedrunReport, path: str | Path, *, day: date | None = None) -> list[dict[str, Any]]:
    """Add an entry to a leaderboard for each track that reached its target; the file is written whole or not at all.

    Several processes may add to one file at once: each waits for the others.

    Args:
        report: of the speedrun.
        path: of the file, which is made if need be.
        day: of the speedrun; ``None`` means today.

    Returns:
        The entries that were added.

    Raises:
        ValueError: if the text is not Tiny Shakespeare, no track reached its target, the file is no leaderboard, or
            another process is writing it and does not end.
        OSError: if it can't be written; it is as it was.
    """
    check_recordable(report.text)
    file = as_path(path, "record")
    added = [_entry(report, result, day or date.today()) for result in report.tracks if result.is_reached]
    if not added:
        raise ValueError("no track reached its target with the mean of its losses, so nothing was recorded")
    with alone_with(file):
        table = {"format": LEADERBOARD_FORMAT, "entries": [*read_leaderboard(file), *added]}
        data = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(file, data.encode())
    return added


def _entry(report: SpeedrunReport, result: TrackResult, day: date) -> dict[str, Any]:
    """The figures of one track; times in seconds, losses in nats per character."""
    host = asdict(report.host)
    names = ("seconds", "loss")
    spreads = {f"{name}_spread": _rounded(result.spread(name)) for name in names}
    yardstick = next((each for each in report.yardsticks[:1] if each.is_whole), None)
    return {
        "date": day.isoformat(),
        "track": result.track.name,
        "seconds": _rounded(result.mean("seconds")),
        "loss": _rounded(result.mean("loss")),
        **spreads,
        "seeds": len(result.runs),
        "steps": result.track.steps,
        "set_up_seconds": _rounded(result.mean("set_up_seconds")),
        "compile_seconds": _rounded(result.mean("compile_seconds")),
        "precisions": [run.precision for run in result.runs],
        "compiled": [run.compiled for run in result.runs],
        "yardstick_seconds": None if yardstick is None else _rounded(yardstick.seconds_to_target),
        "yardstick_reached": yardstick is not None and yardstick.reached is not None,
        "machine": host,
    }


def _rounded(value: float | None) -> float | None:
    """To five digits after the point, which is more than a time or a loss is known to."""
    return None if value is None or not math.isfinite(value) else round(value, 5)
