"""The lock of the system on an open file, which ends with the process that holds it, however that ends.

A file that is read, changed and written anew by several processes is locked from before it is read until it is written:
else the last to write it undoes what the others wrote since it read. What is locked is a file beside it, since a file
that is written whole is another one each time.
"""

import errno
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.atomic import check_target, explain_refusal

# Windows locks a range of bytes, which nobody else can read then: one far behind what is written in a lock's file.
_LOCKED_BYTE = 2**30
#: The numbers of the errors that say that another holds a lock.
HELD = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
NEXT_TRY = 0.02  # seconds


def lock_open(handle: int) -> None:
    """Lock an open file, without waiting.

    Args:
        handle: of the file, open for writing.

    Raises:
        OSError: one of :data:`HELD` if another process has locked it, another one where the file system has no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_at(handle: int, path: Path) -> bool:
    """Whether an open file is still what is at a path; its owner may have deleted it since.

    Args:
        handle: of the file.
        path: where it was opened.
    """
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def alone_with(path: Path, patience: float = 60.0) -> Iterator[None]:
    """The right to read a file and to write it anew, until the block ends; others who ask for it wait.

    Where the file system has no locks, there is a warning and nothing is held.

    Args:
        path: of the file, which may not be there yet; its parents are made if need be.
        patience: for how long to wait, in seconds.

    Raises:
        ValueError: if another process holds it for longer than that, or there is a folder in the place of the file.
        OSError: if nothing can be written beside the file.
    """
    check_target(path)
    place = path.with_name(f".{path.name}.lock")
    with explain_refusal(path, f"{path} was not written; free some space and try again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _taken(path, place, time.monotonic() + patience)
    try:
        yield
    finally:
        if handle is not None:
            _give_back(handle, place)


def _taken(path: Path, place: Path, deadline: float) -> int | None:
    """The handle of the locked file; ``None`` where nothing can be locked."""
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            lock_open(handle)
            if is_at(handle, place):
                return handle
            os.close(handle)  # its owner has deleted it since it was opened
        except OSError as error:
            os.close(handle)
            if error.errno not in HELD:
                warnings.warn(f"{path} can't be locked ({error.strerror}): let one process write it", stacklevel=4)
                return None
            if time.monotonic() > deadline:
                raise ValueError(f"{path} is being written by another process; wait for it and try again") from None
            time.sleep(NEXT_TRY)


def _give_back(handle: int, place: Path) -> None:
    """Delete the file while it is locked, so that nobody locks one that is about to go, and unlock it."""
    if sys.platform == "win32":
        os.close(handle)  # Windows deletes no file that is open
        with suppress(OSError):
            place.unlink()
        return
    place.unlink(missing_ok=True)
    os.close(handle)
