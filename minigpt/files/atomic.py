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
from minigpt.files.verified import check_place

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # <fcntl.h> and <stdio.h> of Linux
RENAME_SWAP = 2  # <stdio.h> of macOS


class FullDiskError(OSError):
    """A full disk or a quota that is used up, told with what was lost by it."""


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
        ValueError: if a folder or a device is at ``path``, or a file in the place of its folder.
        OSError: if it can't be written, naming ``path``.
    """
    path = as_path(path, "path")
    with explain_refusal(path, f"{path} was not written; free some space and try again"):
        check_target(path)
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


def check_target(path: Path, *, folder: bool = False) -> None:
    """Refuse a path where no file, or no folder, can be put; nothing is made.

    Args:
        path: of what is written.
        folder: whether that is a folder.

    Raises:
        ValueError: if something of another kind is there, or something that is no folder above it.
    """
    if path.exists():
        check_place(path, folder=folder)
    elif above := next((each for each in path.parents if os.path.lexists(each)), None):
        check_place(above, folder=True)


@contextmanager
def explain_refusal(path: Path, consequence: str) -> Iterator[None]:
    """Say of what the system refuses that ``path`` was not written, whatever the partial file was called.

    Args:
        path: of what is written.
        consequence: as for :func:`explain_full_disk`.

    Raises:
        OSError: of the class that was raised, with the path and the reason; as :func:`explain_full_disk`, where the
            disk is full.
    """
    try:
        with explain_full_disk(consequence):
            yield
    except OSError as error:
        if error.errno is None or is_full(error):
            raise
        raise OSError(error.errno, f"{path} was not written: {os.strerror(error.errno)}") from None


@contextmanager
def explain_full_disk(consequence: str) -> Iterator[None]:
    """Say of a full disk what was lost by it and how to go on.

    Raises:
        FullDiskError: "the disk is full: …" and the consequence, where the disk is full or the quota used up; what was
            explained within stays as it is.
    """
    try:
        yield
    except OSError as error:
        if is_full(error) and not isinstance(error, FullDiskError):
            raise FullDiskError(error.errno, f"the disk is full: {consequence}") from None
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
