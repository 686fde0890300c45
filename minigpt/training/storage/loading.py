"""Reading the newest checkpoint that is whole, in either of the two formats."""

import warnings
from pathlib import Path

from minigpt.files.json_object import read_object
from minigpt.files.verified import refuse_links_outside
from minigpt.training.storage.checkpoint import MANIFEST, Checkpoint
from minigpt.training.storage.folders import checkpoint_folders
from minigpt.training.storage.sharded import is_sharded, open_sharded
from minigpt.training.storage.whole import open_checkpoint


def load_checkpoint(folder: Path) -> Checkpoint:
    """The newest checkpoint below ``folder`` that is whole, with its tensors on the CPU.

    A folder that fails its manifest, or has a link out of it, is passed over with a warning that names the file.

    Args:
        folder: of all checkpoints of the run.

    Raises:
        ValueError: if there is none.
    """
    return newest_checkpoint(folder).whole()


def newest_checkpoint(folder: Path) -> Checkpoint:
    """:func:`load_checkpoint`, except that sharded tensors stay on the disk.

    Args:
        folder: of all checkpoints of the run.

    Raises:
        ValueError: if there is none.
    """
    if not folder.parent.exists():
        raise ValueError(f"there is no folder {folder.parent}; `minigpt runs` lists those in runs/")
    if (wrong := next((path for path in (folder.parent, folder) if path.is_file()), None)) is not None:
        raise ValueError(f"{wrong} is a file; expected a run folder, with its checkpoints in {folder}")
    candidates = checkpoint_folders(folder)
    for candidate in reversed(candidates):
        try:
            return _read(candidate)
        except ValueError as error:
            warnings.warn(f"{candidate.name} is damaged and passed over: {error}", stacklevel=3)
    found = f"{len(candidates)} damaged one(s)" if candidates else "none"
    raise ValueError(f"no usable checkpoint in {folder}: found {found}; train one with `minigpt train --out …`")


def one_checkpoint(folder: Path) -> Checkpoint:
    """A certain checkpoint, with its tensors on the CPU.

    Args:
        folder: of this checkpoint, such as ``runs/mine/checkpoints/step-00000100``.

    Raises:
        ValueError: if it is not whole.
    """
    return _read(folder).whole()


def _read(folder: Path) -> Checkpoint:
    refuse_links_outside(folder)
    manifest = read_object(folder / MANIFEST, MANIFEST, links=False)
    return (open_sharded if is_sharded(manifest) else open_checkpoint)(folder, manifest)
