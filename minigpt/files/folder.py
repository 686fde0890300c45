"""One folder, whole or not there at all: written under another name, flushed to the disk, then renamed.

What was written is in the machine's memory until it is flushed. A file is durable once the file itself was flushed and
then the folder that names it; a renamed file or folder, once the folder above it was. The order is therefore: every
file, the folder, the rename, the folder above.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.atomic import check_target, explain_full_disk, explain_refusal, swap_paths


@contextmanager
def whole_folder(
    folder: Path, consequence: str, *, partial: Path | None = None, replace: bool = False
) -> Iterator[Path]:
    """A partial folder to write in; when the block ends, it becomes ``folder`` and survives a power cut.

    If the block or anything after it fails, the partial folder is deleted and ``folder`` is as it was. Where another
    folder is replaced, a kill at any instant leaves one of the two whole under the name, on Linux and macOS; elsewhere
    there is an instant without either.

    Args:
        folder: the final path; its parents are made if need be.
        consequence: what an error says of a full disk: what was not written, and how to continue.
        partial: where to write, in the same parent folder. Several processes that write one folder agree on this path;
            what a crash left there is deleted. ``None`` takes a new hidden name.
        replace: whether ``folder`` may exist with files in it, which are then deleted; of a link, the link alone.

    Raises:
        ValueError: if ``folder`` is not empty or is a link, and ``replace`` is false; nothing is written then.
        OSError: if it can't be written.
    """
    if not replace and folder.is_symlink():
        raise ValueError(f"{folder} is a symbolic link; give the folder itself, {os.path.realpath(folder)}")
    if not replace and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty; choose another folder, or remove it first")
    partial = partial or folder.parent / f".{folder.name}-{secrets.token_hex(4)}"
    with explain_full_disk(consequence), _deleted_on_failure(partial):
        delete_path(partial)
        partial.mkdir(parents=True)
        yield partial
        flush_tree(partial)
        if os.path.lexists(folder) and replace:
            _put_in_place_of(folder, partial)
        else:
            if folder.exists():
                folder.rmdir()  # Windows does not rename onto a folder, not even an empty one
            partial.rename(folder)
    with explain_full_disk(f"{folder.name} is in {folder.parent}, but the disk did not confirm it. Free some space"):
        flush_folder(folder.parent)


def update_folder(folder: Path, files: Mapping[str, bytes], consequence: str) -> None:
    """Put files into a folder, all of them or none; its other files stay.

    A folder that exists is replaced by one that holds the new files and links to the other ones.

    Args:
        folder: made if need be.
        files: the bytes of each, by its name.
        consequence: what an error says of a full disk.

    Raises:
        ValueError: if ``folder`` is something that can't be replaced in this way, or a file is above it.
        OSError: if it can't be written, naming the folder, which is as it was.
    """
    folder = Path(os.path.realpath(folder))  # Path.resolve raises a RuntimeError where a link leads to itself
    with explain_refusal(folder, consequence):
        _update(folder, files, consequence)


def _update(folder: Path, files: Mapping[str, bytes], consequence: str) -> None:
    if not folder.exists():
        check_target(folder, folder=True)
    kept = [path for path in _plain_files(folder) if path.name not in files]
    partial = folder.with_name(f".{folder.name}.new.tmp")
    with whole_folder(folder, consequence, partial=partial, replace=True):
        if folder.exists():
            shutil.copymode(folder, partial)
        for path in kept:
            _link(path, partial / path.name)
        for name, data in files.items():
            (partial / name).write_bytes(data)


def _plain_files(folder: Path) -> list[Path]:
    """The files of a folder that may be replaced; none if it does not exist."""
    if not folder.exists():
        return []
    found = list(folder.iterdir()) if folder.is_dir() else []
    inner = sorted(path.name for path in found if path.is_dir())
    reasons = {
        "it is a file": not folder.is_dir(),
        "it is a mount point": os.path.ismount(folder),
        "it is the working folder of this process, or holds it": Path.cwd().is_relative_to(folder),
        f"it holds folders ({', '.join(inner[:3])})": bool(inner),
    }
    if reason := next((reason for reason, holds in reasons.items() if holds), None):
        raise ValueError(f"{folder} can't be replaced as a whole, since {reason}; give a folder of its own")
    return found


def _link(path: Path, target: Path) -> None:
    """A second name for a file; a copy, where the file system has none."""
    try:
        os.link(path, target, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(path, target, follow_symlinks=False)


def _put_in_place_of(folder: Path, partial: Path) -> None:
    """Let ``partial`` become ``folder``, which exists; what was there is deleted."""
    doomed = partial
    if not swap_paths(folder, partial):
        doomed = folder.with_name(f"{folder.name}.old.tmp")
        delete_path(doomed)
        folder.rename(doomed)
        try:
            partial.rename(folder)
        except BaseException:
            doomed.rename(folder)
            raise
    flush_folder(folder.parent)  # the old one is deleted only when the new one lasts
    delete_path(doomed)


def delete_folder(folder: Path) -> None:
    """Delete a folder; under its own name it is never there in part.

    Args:
        folder: what is deleted. A crash may leave it, in part, under the name ``….old.tmp``.
    """
    doomed = folder.with_name(f"{folder.name}.old.tmp")
    delete_path(doomed)
    folder.rename(doomed)
    delete_path(doomed)


def delete_path(path: Path) -> None:
    """Delete what is at a path, if anything is: a folder with all that is in it, or of a link the link alone.

    Args:
        path: of a folder, a file or a link.

    Raises:
        OSError: if it can't be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flush_tree(folder: Path) -> None:
    """Flush every file below ``folder`` to the disk, then ``folder`` itself.

    Args:
        folder: with its subfolders.
    """
    for path in folder.iterdir():
        if path.is_dir():
            flush_tree(path)
        elif path.is_file() and not path.is_symlink():
            flush_file(path)
    flush_folder(folder)


def flush_file(path: Path) -> None:
    """Flush the contents of a file to the disk.

    Args:
        path: on Windows, a file that this process may write to.
    """
    _flush(path, os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY)


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
        with suppress(OSError):
            delete_path(partial)
        raise
