"""Files and folders that survive a power cut.

What was written lies in the machine's memory until it is flushed. A file is durable once it was flushed itself and then
the folder that names it; a renamed or deleted one, once the folder was.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.atomic import explain_full_disk


def write_through(path: Path, data: bytes) -> None:
    """Write a file and flush it to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make durable which files ``folder`` holds, and under which names."""
    # Windows can't open a folder; there a rename is durable when it returns.
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def delete_folder(folder: Path) -> None:
    """Delete a folder in such a way that no one ever meets half of it under its name."""
    doomed = folder.with_name(f"{folder.name}.old.tmp")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed)


@contextmanager
def nothing_left_over(partial: Path, consequence: str) -> Iterator[None]:
    """Delete ``partial`` if writing it fails.

    Args:
        partial: the folder that is written.
        consequence: of a full disk, and how to go on.
    """
    with explain_full_disk(consequence):
        try:
            yield
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
