"""One run at a time in a folder: a lock that the system releases when the process ends, however it ends.

What is locked is an open file, ``run.lock``, so a file that a crash left behind locks nothing. It says which process
holds the lock, for the message to the next one. Reading a run folder needs no lock.
"""

import os
import socket
import sys
import warnings
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from minigpt.files.atomic import explain_full_disk
from minigpt.files.lock import HELD, is_at, lock_open
from minigpt.files.verified import check_place

LOCK_FILE = "run.lock"


class FolderLock:
    """The right to write into a run folder, held until :meth:`release`, or until the process ends.

    Where the file system knows no locks, there is a warning and nothing is held.

    Args:
        folder: the run folder, which exists.

    Raises:
        ValueError: if another run holds it, which is named by its process and its machine; or if the lock's file is a
            link, a folder or a pipe.
        OSError: if the lock's file can't be made.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        self._release = weakref.finalize(self, _release, _open_locked(path), path, os.getpid())

    def release(self) -> None:
        """Let others write; a second time does nothing."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _open_locked(path: Path) -> int | None:
    """The handle of the locked file; ``None`` where nothing can be locked."""
    check_place(path, links=False)
    while True:
        with explain_full_disk(f"{path} was not written; free some space and try again"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            lock_open(handle)
        except OSError as error:
            os.close(handle)
            if error.errno in HELD:
                raise ValueError(_in_use(path)) from None
            path.unlink(missing_ok=True)
            reason = error.strerror or str(error)
            warnings.warn(f"{path.parent} can't be locked ({reason}): start no second run in it", stacklevel=4)
            return None
        if is_at(handle, path):
            break
        os.close(handle)  # the run before has deleted this file since it was opened
    with suppress(OSError):  # a full disk: the lock holds, and only its message is shorter
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return handle


def _in_use(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        holder = file.read(300).decode(errors="replace")
        if holder.isprintable() and holder:
            return f"{path.parent} is in use: {holder} is training there; {_WHAT_TO_DO}"
    return f"{path.parent} is in use: another process is training there; {_WHAT_TO_DO}"


_WHAT_TO_DO = "wait for that run, stop it, or choose another folder"


def _release(handle: int | None, path: Path, owner: int) -> None:
    """Delete the file and unlock it; a forked process only closes its copy of the handle."""
    if handle is None:
        return
    if sys.platform == "win32":
        os.close(handle)
        with suppress(OSError):  # Windows deletes no file that the next run has opened since
            path.unlink()
        return
    if os.getpid() == owner and is_at(handle, path):
        path.unlink(missing_ok=True)
    os.close(handle)
