"""One JSON object, from bytes or from a file that may be damaged or forged.

JSON can't run anything when it is read, as a pickle could. Every failure is one ``ValueError`` that names the file.
"""

import json
from pathlib import Path
from typing import Any

from minigpt.files.plain import read_plain

#: Larger files are refused, in bytes. The largest tokenizers have about a quarter of it.
LIMIT = 2**27


def read_object(path: Path, name: str | None = None, *, limit: int = LIMIT, links: bool = True) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        path: a plain file in UTF-8.
        name: what an error calls it; ``None`` takes the path.
        limit: how many bytes it may have.
        links: whether it may be reached by a symbolic link.

    Raises:
        ValueError: if it is missing, no plain file, too large, not JSON or no JSON object, gives a name twice in one
            object, or can't be read.
    """
    name = str(path) if name is None else name
    return parse_object(read_plain(path, name, limit=limit, links=links), name)


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in ``data``.

    Args:
        data: in UTF-8, with or without a byte-order mark.
        name: what an error calls it.

    Raises:
        ValueError: if it is not JSON, is no JSON object, or an object in it gives a name twice.
    """
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object)
    except _RepeatedNameError as error:
        raise ValueError(f"{name} gives {error} twice in one object; leave one of them out") from None
    except (ValueError, RecursionError) as error:  # brackets nested by the thousand exceed Python's stack
        raise ValueError(f"{name} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} should hold a JSON object, found {type(value).__name__}")
    return value


class _RepeatedNameError(Exception):
    """A name that an object gives twice; not a ValueError, which would say that the text is not JSON."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = set()
        for name, _ in pairs:
            if name in names:
                raise _RepeatedNameError(repr(name[:100]))
            names.add(name)
    return value
