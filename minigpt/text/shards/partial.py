"""Where a prepared folder is written before it is whole: one hidden folder beside it, for one process at a time.

A process that was killed leaves that folder. The next one to write the same folder deletes it, but not while its owner
lives: the owner holds a lock, which the system takes back when a process ends, however it ends.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.lock import HELD, is_at, lock_open


@contextmanager
def only_writer(out: Path) -> Iterator[Path]:
    """The hidden folder in which ``out`` is written, held until the block ends.

    Raises:
        ValueError: if another process is writing ``out``.
        OSError: if the folder above can't be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.parent / f".{out.name}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not (_locked(handle) and is_at(handle, path)):
            raise ValueError(f"{out} is being written by another process; wait for it, or choose another folder")
        try:
            yield out.parent / f".{out.name}.partial"
        finally:
            with suppress(OSError):  # Windows deletes no file that is open
                path.unlink()
    finally:
        os.close(handle)
        if sys.platform == "win32":
            with suppress(OSError):
                path.unlink()


def _locked(handle: int) -> bool:
    """Lock an open file, unless another process has; where the file system has no locks, nothing is locked."""
    try:
        lock_open(handle)
    except OSError as error:
        return error.errno not in HELD
    return True
