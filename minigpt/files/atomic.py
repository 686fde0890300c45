"""One file, whole or not there at all: written under another name, flushed to the disk, then renamed."""

import ctypes
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.paths import as_path

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # <fcntl.h> and <stdio.h> of Linux
RENAME_SWAP = 2  # <stdio.h> of macOS


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Write a file so that it is there whole or not at all, even if the machine stops midway."""
    with whole_file(path) as partial:
        partial.write_bytes(data)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A partial file to write to; when the block ends it becomes ``path``, even if the machine stops right after.

    If the block or anything after it fails, the partial file is deleted and ``path`` is as it was.

    Args:
        path: of the file, which is replaced if it exists; its parents are made if need be.

    Raises:
        OSError: if it can't be written.
    """
    path = as_path(path, "path")
    with explain_full_disk(f"{path} was not written; free some space and try again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "rb+") as file:
                yield Path(name)
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp makes private files
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def explain_full_disk(consequence: str) -> Iterator[None]:
    """Say of a full disk what was lost by it and how to go on.

    Raises:
        OSError: "the disk is full: …" and the consequence, where the disk is full or the quota used up.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise OSError(error.errno, f"the disk is full: {consequence}") from None
        raise


def is_full(error: OSError) -> bool:
    """Whether the system refused something because the disk is full or the quota used up.

    Args:
        error: as it was raised.
    """
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def swap_paths(one: Path, other: Path) -> bool:
    """Exchange the names of two files or folders of one file system in one step.

    Args:
        one: exists.
        other: exists.

    Returns:
        Whether it was done; false where the system, or the file system, can't do it in one step.
    """
    names = os.fsencode(one), os.fsencode(other)
    with suppress(AttributeError, OSError, TypeError):  # no such function, or no C library to ask
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, RENAME_SWAP) == 0)
        return bool(library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)
    return False
