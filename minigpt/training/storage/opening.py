"""How a run finds its checkpoints: whether it resumes, from which one, and in which folder it saves."""

import shutil
from pathlib import Path

from minigpt.files.atomic import explain_full_disk
from minigpt.files.folder import flush_folder
from minigpt.training.processes.distributed import restarted
from minigpt.training.storage.checkpoint import Checkpoint
from minigpt.training.storage.folders import checkpoint_folders, step_of, sweep_partial
from minigpt.training.storage.loading import newest_checkpoint


def resume_checkpoint(folder: Path, *, writes: bool = True) -> Checkpoint:
    """:func:`load_checkpoint`, for a run that goes on from there; tensors that are sharded stay on the disk.

    What is newer is damaged: it becomes ``step-….damaged``, so that it isn't counted among those to be kept.

    Args:
        folder: of the checkpoints.
        writes: of several processes that share the folder, only one changes it.

    Raises:
        ValueError: if there is no whole checkpoint.
    """
    checkpoint = newest_checkpoint(folder)
    for newer in checkpoint_folders(folder):
        if writes and step_of(newer) > checkpoint.step:
            aside = newer.with_suffix(".damaged")
            shutil.rmtree(aside, ignore_errors=True)
            newer.rename(aside)
    return checkpoint


def resumes(out: Path, resume: bool | str) -> bool:
    """Whether a run goes on from its newest checkpoint.

    Args:
        out: the run folder.
        resume: ``True`` or ``False``; "auto" means: if there is a checkpoint. When torchrun has restarted the
            processes, after one of them died, ``False`` means "auto" too.

    Raises:
        ValueError: if ``resume`` is something else.
    """
    if resume not in (True, False, "auto"):
        raise ValueError(f"resume={resume!r} must be True, False or 'auto'")
    if resume == "auto" or (restarted() and not resume):
        return bool(checkpoint_folders(out / "checkpoints"))
    return bool(resume)


def open_run_folder(out: Path, *, resume: bool, writes: bool = True) -> Path:
    """The folder of a run's checkpoints, made if need be and swept of what a crash left behind.

    Args:
        out: the run folder.
        resume: whether checkpoints may be there.
        writes: of several processes that share the folder, only one makes and sweeps it.

    Raises:
        ValueError: if it holds checkpoints already and they are not to be resumed from.
    """
    folder = out / "checkpoints"
    if not resume and (found := checkpoint_folders(folder)):
        raise ValueError(
            f"{out} already holds a run, up to {found[-1].name}; go on with it by resume=True (--resume), or choose "
            "another folder"
        )
    if writes:
        with explain_full_disk(f"{folder} can't be made; free some space"):
            folder.mkdir(parents=True, exist_ok=True)
        flush_folder(out)
        sweep_partial(folder)
        for unfinished in out.glob(".*.json*-*"):
            unfinished.unlink()
    return folder
