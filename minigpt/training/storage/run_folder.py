"""The folder of a run, opened once: where its checkpoints and its log are, and whether they are continued.

::

    out/
      run.json       how the run was started
      log.jsonl      a line for each step
      checkpoints/   step-00000500/, step-00001000/, …
"""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from minigpt.files.atomic import explain_full_disk
from minigpt.files.folder import flush_folder
from minigpt.training.processes.distributed import restarted
from minigpt.training.storage.checkpoint import Checkpoint
from minigpt.training.storage.folders import checkpoint_folders, step_of, sweep_partial
from minigpt.training.storage.loading import newest_checkpoint


class Resume(StrEnum):
    """Whether a run continues from the newest checkpoint of its folder."""

    NO = "no"
    YES = "yes"
    AUTO = "auto"  # if there is a checkpoint

    @classmethod
    def of(cls, value: "Resume | str | bool") -> "Resume":
        """From ``True``, ``False`` or a name.

        Raises:
            ValueError: if it is something else.
        """
        if isinstance(value, bool):
            return cls.YES if value else cls.NO
        if value not in tuple(cls):
            raise ValueError(f"resume={value!r} must be True, False or 'auto'")
        return cls(value)


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """A run folder that was opened.

    Attributes:
        path: the folder.
        resumes: whether the run continues from the newest checkpoint.
        writes: of several processes that share the folder, only one changes it.
    """

    path: Path
    resumes: bool
    writes: bool

    @classmethod
    def open(cls, path: Path | str, resume: Resume | str | bool = Resume.NO, *, writes: bool = True) -> Self:
        """Make the folder if need be, and sweep what a crash left behind.

        Args:
            path: the folder.
            resume: whether checkpoints may be there. When torchrun has restarted the processes, after one of them died,
                ``NO`` means ``AUTO``.
            writes: whether this process makes and sweeps it.

        Raises:
            ValueError: if it holds checkpoints already and they are not to be resumed from.
        """
        folder = cls(path=Path(path), resumes=_resumes(Path(path), Resume.of(resume)), writes=writes)
        if not folder.resumes and (found := checkpoint_folders(folder.checkpoints)):
            raise ValueError(
                f"{path} already holds a run, up to {found[-1].name}; continue it with resume=True (--resume), or "
                "choose another folder"
            )
        if writes:
            folder._make()
        return folder

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """The log, a line a step."""
        return self.path / "log.jsonl"

    def newest(self) -> Checkpoint:
        """The newest whole checkpoint, to continue from; tensors that are sharded stay on the disk.

        What is newer is damaged: it becomes ``step-….damaged``, so that it isn't counted among those to be kept.

        Raises:
            ValueError: if there is none.
        """
        checkpoint = newest_checkpoint(self.checkpoints)
        for newer in checkpoint_folders(self.checkpoints):
            if self.writes and step_of(newer) > checkpoint.step:
                aside = newer.with_suffix(".damaged")
                shutil.rmtree(aside, ignore_errors=True)
                newer.rename(aside)
        return checkpoint

    def _make(self) -> None:
        with explain_full_disk(f"{self.checkpoints} can't be made; free some space"):
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        flush_folder(self.path)
        sweep_partial(self.checkpoints)
        for unfinished in self.path.glob(".*.json*-*"):
            unfinished.unlink()


def _resumes(path: Path, resume: Resume) -> bool:
    if resume is Resume.AUTO or (restarted() and resume is Resume.NO):
        return bool(checkpoint_folders(path / "checkpoints"))
    return resume is Resume.YES
