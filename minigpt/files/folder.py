"""One folder, whole or not there at all: written under another name, flushed to the disk, then renamed.

What was written is in the machine's memory until it is flushed. A file is durable once the file itself was flushed and
then the folder that names it; a renamed file or folder, once the folder above it was. The order is therefore: every
file, the folder, the rename, the folder above.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.atomic import explain_full_disk


@contextmanager
def whole_folder(
    folder: Path, consequence: str, *, partial: Path | None = None, replace: bool = False
) -> Iterator[Path]:
    """A partial folder to write in; when the block ends, it becomes ``folder`` and survives a power cut.

    If the block or anything after it fails, the partial folder is deleted and ``folder`` is as it was.

    Args:
        folder: the final path; its parents are made if need be.
        consequence: what an error says of a full disk: what was not written, and how to continue.
        partial: where to write, in the same parent folder. Several processes that write one folder agree on this path;
            what a crash left there is deleted. ``None`` takes a new hidden name.
        replace: whether ``folder`` may exist with files in it, which are then deleted.

    Raises:
        ValueError: if ``folder`` is not empty and ``replace`` is false; nothing is written then.
        OSError: if it can't be written.
    """
    if not replace and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty; choose another folder, or remove it first")
    partial = partial or folder.parent / f".{folder.name}-{secrets.token_hex(4)}"
    with explain_full_disk(consequence), _deleted_on_failure(partial):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        flush_tree(partial)
        if folder.exists() and replace:
            delete_folder(folder)
        elif folder.exists():
            folder.rmdir()  # Windows does not rename onto a folder, not even an empty one
        partial.rename(folder)
    with explain_full_disk(f"{folder.name} is in {folder.parent}, but the disk did not confirm it. Free some space"):
        flush_folder(folder.parent)


def delete_folder(folder: Path) -> None:
    """Delete a folder; under its own name it is never there in part.

    Args:
        folder: what is deleted. A crash may leave it, in part, under the name ``….old.tmp``.
    """
    doomed = folder.with_name(f"{folder.name}.old.tmp")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed)


def flush_tree(folder: Path) -> None:
    """Flush every file below ``folder`` to the disk, then ``folder`` itself.

    Args:
        folder: with its subfolders.
    """
    for path in folder.iterdir():
        if path.is_dir():
            flush_tree(path)
        else:
            flush_file(path)
    flush_folder(folder)


def flush_file(path: Path) -> None:
    """Flush the contents of a file to the disk.

    Args:
        path: a file that this process may write to: Windows flushes no other.
    """
    _flush(path, os.O_RDWR)


def flush_folder(folder: Path) -> None:
    """Flush to the disk which files ``folder`` holds, and under which names.

    Args:
        folder: without its subfolders.
    """
    # Windows can't open a folder; there a rename is durable when it returns.
    with suppress(PermissionError):
        _flush(folder, os.O_RDONLY)


def _flush(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _deleted_on_failure(partial: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
