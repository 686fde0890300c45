"""Which folders are checkpoints: their names, their order, and how a new one joins them.

::

    checkpoints/
      step-00000400/          a checkpoint
      step-00000500/
      step-00000600.tmp/      being written, or left by a crash
      step-00000450.damaged/  set aside by a run that continued from an older one
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigpt.files.folder import delete_folder, delete_path, whole_folder

_NAME = re.compile(r"step-(\d{8,})$")


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` is, or would be.

    Args:
        folder: of all checkpoints of the run.
        step: how many updates were made.
    """
    return folder / f"step-{step:08d}"


def partial_folder(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` is while it is written.

    Args:
        folder: of all checkpoints of the run.
        step: how many updates were made.
    """
    return folder / f"step-{step:08d}.tmp"


def step_of(checkpoint: Path) -> int:
    """The step in the name of a checkpoint's folder.

    Args:
        checkpoint: as :func:`checkpoint_folders` returns it.
    """
    return int(checkpoint.name.removeprefix("step-"))


def checkpoint_folders(folder: Path) -> list[Path]:
    """The checkpoints below ``folder``, oldest first; they are not opened.

    Args:
        folder: of all checkpoints of the run; it may be missing.
    """
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.match(path.name) and path.is_dir()), key=step_of)


@contextmanager
def new_folder(folder: Path, step: int, *, keep: int) -> Iterator[Path]:
    """A folder to write in, which becomes the checkpoint of ``step`` at the end, whole or not at all.

    All but the newest ``keep`` checkpoints are then deleted.

    Args:
        folder: of all checkpoints of the run.
        step: how many updates were made.
        keep: how many checkpoints stay, at least 1.

    Raises:
        OSError: if it can't be written; the older checkpoints are as they were.
    """
    final = checkpoint_folder(folder, step)
    consequence = (
        f"{final.name} was not saved to {folder}; the checkpoints before it are whole. Free some space and go on with "
        "--resume"
    )
    sweep_partial(folder)
    with whole_folder(final, consequence, partial=partial_folder(folder, step), replace=True) as partial:
        yield partial
    for old in checkpoint_folders(folder)[:-keep]:
        delete_folder(old)


def sweep_partial(folder: Path) -> None:
    """Delete what a crash in the middle of a save left behind.

    Args:
        folder: of all checkpoints of the run.
    """
    for path in folder.glob("step-*.tmp"):
        with suppress(OSError):
            delete_path(path)
