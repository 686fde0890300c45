"""The folder of a run, opened once: where its checkpoints and its log are, and whether they are continued.

::

    out/
      run.json       how the run was started
      data.json      what it read
      run.lock       there while a process trains
      log.jsonl      a line for each step
      checkpoints/   step-00000500/, step-00001000/, …
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from minigpt.files.atomic import explain_full_disk
from minigpt.files.folder import delete_path, flush_folder
from minigpt.files.paths import as_path
from minigpt.files.verified import check_place
from minigpt.training.processes.distributed import restarted
from minigpt.training.storage.checkpoint import Checkpoint
from minigpt.training.storage.folders import checkpoint_folders, step_of, sweep_partial
from minigpt.training.storage.loading import newest_checkpoint
from minigpt.training.storage.lock import FolderLock

FILES = ("run.json", "data.json", "log.jsonl")


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
    """A run folder that was opened to train in it; the process that writes holds its lock until it is closed.

    Attributes:
        path: the folder.
        resumes: whether the run continues from the newest checkpoint.
        writes: of several processes that share the folder, only one changes it.
        lock: of the folder, where this process writes.
        identity: device and inode of the folder that was opened, where this process writes.
    """

    path: Path
    resumes: bool
    writes: bool
    lock: FolderLock | None = field(default=None, repr=False, compare=False)
    identity: tuple[int, int] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, path: Path | str, resume: Resume | str | bool = Resume.NO, *, writes: bool = True) -> Self:
        """Make the folder if need be, lock it, and sweep what a crash left behind.

        Args:
            path: the folder.
            resume: whether checkpoints may be there. When torchrun has restarted the processes, after one of them died,
                ``NO`` means ``AUTO``.
            writes: whether this process makes and sweeps it.

        Raises:
            ValueError: if another process trains in it, it holds checkpoints and they are not to be resumed from, or
                something else is in the place of the folder or of a part of it.
        """
        path, resume = as_path(path, "out"), Resume.of(resume)
        with ExitStack() as undo:
            lock = undo.enter_context(_locked(path)) if writes else None
            identity = _identity(path) if writes else None
            folder = cls(path=path, resumes=_resumes(path, resume), writes=writes, lock=lock, identity=identity)
            if not folder.resumes and (found := checkpoint_folders(folder.checkpoints)):
                raise ValueError(
                    f"{path} already holds a run, up to {found[-1].name}; continue it with resume=True (--resume), or "
                    "choose another folder"
                )
            if writes:
                folder._sweep()
            undo.pop_all()
        return folder

    def close(self) -> None:
        """Let other processes train in the folder."""
        if self.lock is not None:
            self.lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
                delete_path(aside)
                newer.rename(aside)
        return checkpoint

    def check_present(self) -> None:
        """Refuse to train on where the folder is gone, before a save creates it again without what it held.

        Raises:
            OSError: if it was moved, deleted or replaced by another since it was opened.
        """
        if self.writes and (_identity(self.path) != self.identity or not self.checkpoints.is_dir()):
            raise FileNotFoundError(
                f"the run folder {self.path} is gone: it was moved or deleted while the run was training, so nothing "
                "more can be saved there. Put it back and continue with --resume"
            )

    def _sweep(self) -> None:
        sweep_partial(self.checkpoints)
        for pattern in (".*.json*-*", ".loss.png-*"):
            for unfinished in self.path.glob(pattern):
                delete_path(unfinished)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a folder apart from another of its name; ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _locked(path: Path) -> FolderLock:
    """The lock of a folder, which is made if need be."""
    checkpoints = path / "checkpoints"
    for folder in (path, checkpoints):
        check_place(folder, folder=True)
    for name in FILES:
        check_place(path / name)
    with explain_full_disk(f"{checkpoints} can't be made; free some space"):
        checkpoints.mkdir(parents=True, exist_ok=True)
    flush_folder(path)
    return FolderLock(path)


def _resumes(path: Path, resume: Resume) -> bool:
    if resume is Resume.AUTO or (restarted() and resume is Resume.NO):
        return bool(checkpoint_folders(path / "checkpoints"))
    return resume is Resume.YES
