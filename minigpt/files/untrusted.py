"""Reading files that may be damaged or forged: any doubt is one ``ValueError``, and nothing in them is executed.

The parsers are JSON's and safetensors'; neither can run anything, as a pickle could.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor


def sha256(data: bytes) -> str:
    """The hash that a manifest holds, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_bytes(path: Path, size: Any = None) -> bytes:
    """The bytes of a plain file; if a size in bytes is expected, it is compared before anything is read.

    Raises:
        ValueError: if it is no plain file, of another size, or can't be read.
    """
    try:
        if not path.is_file():  # a pipe in its place would block the reader for ever
            raise ValueError(f"{path.name} is missing")
        found = path.stat().st_size
        if size is not None and size != found:
            raise ValueError(f"{path.name} has {found:,} bytes, its manifest says {str(size)[:20]}")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} can't be read: {error.strerror}") from None


def read_verified(path: Path, entry: Any) -> bytes:
    """The bytes of a file, if they are those that its ``entry`` in the manifest speaks of.

    Raises:
        ValueError: if they are not.
    """
    expected = entry if isinstance(entry, dict) else {}
    data = read_bytes(path, expected.get("size"))
    if expected.get("sha256") != sha256(data):
        raise ValueError(f"{path.name} does not match the sha256 in its manifest")
    return data


def parse_object(name: str, data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``.

    Raises:
        ValueError: if there is none; it names the file.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} can't be read: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no JSON object")
    return value


def parse_tensors(name: str, data: bytes) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name, on the CPU.

    Raises:
        ValueError: if it is none; it names the file.
    """
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # to a forged header the parser answers with exceptions of many types
        raise ValueError(f"{name} can't be read: {type(error).__name__} {error}") from None
