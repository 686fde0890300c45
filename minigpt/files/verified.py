"""Bytes with a known size and sha256: reading, checking, and the entries of a manifest.

A file may be damaged or forged. What is no plain file is refused before it is opened, because a pipe would block its
reader forever and a device may have no end. Every failure is one ``ValueError`` that names the file.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def sha256_of(data: bytes | memoryview) -> str:
    """The SHA-256 of bytes in memory, in hexadecimal.

    Args:
        data: anything with a contiguous buffer.
    """
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a plain file, in hexadecimal; the file may be larger than the memory.

    Args:
        path: is read a piece at a time.

    Raises:
        ValueError: if it is no plain file, or can't be read.
    """
    plain_size(path, path.name)
    with _explained(path.name), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entry_of(data: bytes) -> dict[str, Any]:
    """What a manifest says of a file with these bytes: ``{"size": …, "sha256": …}``, the size in bytes.

    Args:
        data: all of the file.
    """
    return {"size": len(data), "sha256": sha256_of(data)}


def entry_of_file(path: Path) -> dict[str, Any]:
    """:func:`entry_of` of what is on the disk.

    Args:
        path: is read a piece at a time.

    Raises:
        ValueError: if it is no plain file, or can't be read.
    """
    return {"size": plain_size(path, path.name), "sha256": sha256_of_file(path)}


def plain_size(path: Path, name: str) -> int:
    """The size of a plain file, in bytes; it is not opened.

    Args:
        path: where it is.
        name: what an error calls it.

    Raises:
        ValueError: if it is missing, is no plain file (a folder, pipe or device), or can't be looked up.
    """
    with _explained(name):
        if not path.is_file():
            raise ValueError(f"{name} is not a plain file" if path.exists() else f"{name} is missing")
        return path.stat().st_size


def refuse_links_outside(folder: Path) -> None:
    """Refuse a folder in which something is a link to what is not in it; no file is opened.

    Args:
        folder: may itself be reached by a link.

    Raises:
        ValueError: naming the link, or if the folder can't be listed.
    """
    with _explained(folder.name):
        home = Path(os.path.realpath(folder))
        for path in sorted(folder.iterdir()):
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(home):
                raise ValueError(
                    f"{path.name} is a link to {str(target)[:200]}, outside its folder; put the file itself there"
                )


def check_place(path: Path, *, folder: bool = False, links: bool = True) -> None:
    """Refuse what is in the place of a file or a folder, if it is of another kind; nothing is opened.

    Args:
        path: where the file or folder is, or will be made.
        folder: whether a folder is expected, not a plain file.
        links: whether it may be a symbolic link to what is expected.

    Raises:
        ValueError: saying what is there, what was expected, and what to do.
    """
    found = None
    if path.is_symlink() and not (links and path.exists()):
        found = "a symbolic link to nothing" if links else "a symbolic link"
    elif path.is_dir():
        found = None if folder else "a folder"
    elif path.exists():
        found = "a file" if folder else None if path.is_file() else "a pipe or a device"
    if found is not None:
        expected = "folder" if folder else "plain file"
        raise ValueError(f"{path} is {found}, expected a {expected}; move or delete it and try again")


def read_plain(path: Path, name: str, *, limit: int | None = None) -> bytes:
    """The bytes of a plain file.

    Args:
        path: where it is.
        name: what an error calls it.
        limit: how many bytes are read at most; ``None`` sets no limit.

    Raises:
        ValueError: if it is no plain file, has more bytes than ``limit``, or can't be read.
    """
    size = plain_size(path, name)
    if limit is not None and size > limit:
        raise ValueError(f"{name} has {size:,} bytes; at most {limit:,} are read")
    with _explained(name):
        return path.read_bytes()


def read_verified(path: Path, entry: Any, *, limit: int | None = None) -> bytes:
    """The bytes of a file, if they are those that its entry in a manifest describes.

    Args:
        path: the file.
        entry: what the manifest holds, as :func:`entry_of` returns it; it is not trusted to be that.
        limit: how many bytes are read at most; ``None`` means as many as the entry says.

    Raises:
        ValueError: if it is no plain file, or its size or sha256 is another. The size is compared before anything is
            read, and without one, and without a limit, nothing is: a file with holes may be larger than any memory.
    """
    _check_size(path, entry, needed=limit is None)
    data = read_plain(path, path.name, limit=limit)
    _check_sha256(path, sha256_of(data), entry)
    return data


def check_file(path: Path, entry: Any) -> None:
    """Compare a file with its entry in a manifest as :func:`read_verified` does, without holding it in memory.

    Args:
        path: the file.
        entry: what the manifest holds.

    Raises:
        ValueError: if it is no plain file, or its size or sha256 is another.
    """
    _check_size(path, entry)
    _check_sha256(path, sha256_of_file(path), entry)


def _check_size(path: Path, entry: Any, *, needed: bool = True) -> None:
    size = plain_size(path, path.name)
    if not isinstance(entry, dict) or (needed and "size" not in entry):
        raise ValueError(f"the manifest does not say how large {path.name} is")
    if (expected := entry.get("size", size)) != size:
        raise ValueError(f"{path.name} has {size:,} bytes, its manifest says {str(expected)[:20]}")


def _check_sha256(path: Path, found: str, entry: dict[str, Any]) -> None:
    if entry.get("sha256") != found:
        raise ValueError(f"{path.name} does not match the sha256 in its manifest")


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(f"{name} can't be read: {error.strerror}") from None
    except MemoryError:
        raise ValueError(f"{name} can't be read: it is larger than the memory") from None
