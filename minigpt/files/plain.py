"""A plain file, opened once: the bytes that are checked are the bytes that are used.

What is not a plain file is refused before it is opened, because a pipe would block its reader forever and a device may
have no end. Another file may take its place after that, so what was opened is looked at again. Every failure is one
``ValueError`` that names the file.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe blocks nobody
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)  # Windows has none of the three


def plain_size(path: Path, name: str) -> int:
    """The size of a plain file, in bytes; it is not opened.

    Args:
        path: where it is.
        name: what an error calls it.

    Raises:
        ValueError: if it is missing, is not a plain file (a folder, pipe or device), or can't be looked up.
    """
    with explained(name):
        if not path.is_file():
            raise ValueError(f"{name} is not a plain file" if path.exists() else f"{name} is missing")
        return path.stat().st_size


@contextmanager
def open_plain(path: Path, name: str, *, links: bool = True) -> Iterator[BinaryIO]:
    """A plain file, open to be read; it is what was opened, whatever is at its path since.

    Args:
        path: where it is.
        name: what an error calls it.
        links: whether it may be reached by a symbolic link in the last part of its path.

    Raises:
        ValueError: if it is missing, is not a plain file, or can't be read.
    """
    with explained(name):
        plain_size(path, name)  # to open a device may have an effect
        with os.fdopen(os.open(path, _FLAGS | (0 if links else _NO_LINKS)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{name} is not a plain file")
            yield file


def read_plain(path: Path, name: str, *, limit: int | None = None, links: bool = True) -> bytes:
    """The bytes of a plain file.

    Args:
        path: where it is.
        name: what an error calls it.
        limit: how many bytes are read at most; ``None`` sets no limit.
        links: whether it may be reached by a symbolic link.

    Raises:
        ValueError: if it is not a plain file, has more bytes than ``limit``, or can't be read.
    """
    with open_plain(path, name, links=links) as file:
        return read_open(file, name, limit)


def read_open(file: BinaryIO, name: str, limit: int | None) -> bytes:
    """The bytes of an open file.

    Args:
        file: as :func:`open_plain` gives it.
        name: what an error calls it.
        limit: how many bytes are read at most; ``None`` sets no limit.

    Raises:
        ValueError: if it has more bytes than ``limit``.
    """
    if limit is not None and (size := size_of(file)) > limit:
        raise ValueError(f"{name} has {size:,} bytes; at most {limit:,} are read")
    data = file.read() if limit is None else file.read(limit + 1)
    if limit is not None and len(data) > limit:
        raise ValueError(f"{name} has more than {limit:,} bytes; at most so many are read")
    return data


def size_of(file: BinaryIO) -> int:
    """The size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size


def identity_of(found: os.stat_result) -> tuple[int, ...]:
    """What tells a file from any other, and from itself after a change; a rename changes the last of the times.

    Args:
        found: what the system says of the file.
    """
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What the system raises inside, as one ``ValueError``.

    Args:
        name: what it calls the file.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{name} is a symbolic link; put the file itself there") from None
        raise ValueError(f"{name} can't be read: {error.strerror}") from None
    except MemoryError:
        raise ValueError(f"{name} can't be read: it is larger than the memory") from None
