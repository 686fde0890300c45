"""Bytes with a known size and sha256: reading, checking, and the entries of a manifest.

A file may be damaged or forged. Every failure is one ``ValueError`` that names it.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

from minigpt.files.plain import explained, identity_of, open_plain, read_open, size_of


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
        ValueError: if it is not a plain file, or can't be read.
    """
    with open_plain(path, path.name or str(path)) as file:
        return _digest(file)


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
        ValueError: if it is not a plain file, or can't be read.
    """
    with open_plain(path, path.name) as file:
        return {"size": size_of(file), "sha256": _digest(file)}


def refuse_links_outside(folder: Path) -> None:
    """Refuse a folder in which something is a link to what is not in it; no file is opened.

    Args:
        folder: may itself be reached by a link.

    Raises:
        ValueError: naming the link, or if the folder can't be listed.
    """
    with explained(folder.name):
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


def read_verified(path: Path, entry: Any, *, limit: int | None = None, links: bool = True) -> bytes:
    """The bytes of a file, if they are those that its entry in a manifest describes.

    Args:
        path: the file.
        entry: what the manifest holds, as :func:`entry_of` returns it; it is not trusted to be that.
        limit: how many bytes are read at most; ``None`` means as many as the entry says.
        links: whether it may be reached by a symbolic link.

    Raises:
        ValueError: if it is not a plain file, or its size or sha256 is another. The size is compared before anything is
            read, and without one, and without a limit, nothing is: a file with holes may be larger than any memory.
    """
    with open_plain(path, path.name, links=links) as file:
        _check_size(file, path.name, entry, needed=limit is None)
        data = read_open(file, path.name, limit)
    _check_sha256(path.name, sha256_of(data), entry)
    return data


def check_file(path: Path, entry: Any) -> tuple[int, ...]:
    """Compare a file with its entry in a manifest as :func:`read_verified` does, without holding it in memory.

    Args:
        path: the file; a symbolic link is not followed.
        entry: what the manifest holds.

    Returns:
        What :func:`check_unchanged_file` tells it from any other file by, and from itself after a change.

    Raises:
        ValueError: if it is not a plain file, or its size or sha256 is another.
    """
    with open_plain(path, path.name, links=False) as file:
        identity = identity_of(os.fstat(file.fileno()))
        _check_size(file, path.name, entry)
        _check_sha256(path.name, _digest(file), entry)
    return identity


def check_unchanged_file(path: Path, identity: tuple[int, ...]) -> None:
    """Refuse what is at a path, if it is not the file that was checked there, as it was.

    Args:
        path: the file, which something else has read in the meantime.
        identity: as :func:`check_file` returned it.

    Raises:
        ValueError: if it was replaced, moved or written to since.
    """
    with explained(path.name):
        if identity_of(path.lstat()) != identity:
            raise ValueError(f"{path.name} was changed or replaced while it was read; load it again")


def _check_size(file: BinaryIO, name: str, entry: Any, *, needed: bool = True) -> None:
    size = size_of(file)
    if not isinstance(entry, dict) or (needed and "size" not in entry):
        raise ValueError(f"the manifest does not say how large {name} is")
    if (expected := entry.get("size", size)) != size:
        raise ValueError(f"{name} has {size:,} bytes, its manifest says {str(expected)[:20]}")


def _check_sha256(name: str, found: str, entry: dict[str, Any]) -> None:
    if entry.get("sha256") != found:
        raise ValueError(f"{name} does not match the sha256 in its manifest")


def _digest(file: BinaryIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
