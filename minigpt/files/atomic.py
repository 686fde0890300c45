"""One file, whole or not there at all: written under another name, flushed to the disk, then renamed."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Write a file so that it is there whole or not at all, even if the machine stops midway."""
    path = Path(path)
    with explain_full_disk(f"{path} was not written; free some space and try again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
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
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, f"the disk is full: {consequence}") from None
        raise
