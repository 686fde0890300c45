"""When a run saves, and where the writing happens: in the loop, or in the background while training continues.

In the background the loop waits only for the copy of the weights and moments; the bytes written are the same. At most
one save is under way: the next one waits for it. Leaving the saver waits for the last.
"""

import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from minigpt.training.run_state import RunState
from minigpt.training.storage.run_folder import RunFolder
from minigpt.training.storage.sharded import check_one_folder, save_sharded
from minigpt.training.storage.whole import save_checkpoint


class Saver:
    """Writes the checkpoints of a run.

    Args:
        folder: of the run; ``None`` saves nothing.
        run: what is saved; its configuration says when, how many are kept, and whether in the background.

    Raises:
        ValueError: if each process is to write its part, and they do not all see the folder.
    """

    def __init__(self, folder: RunFolder | None, run: RunState) -> None:
        self.folder, self.run, self.config = None if folder is None else folder.checkpoints, run, run.config
        self._writer = ThreadPoolExecutor(1, "checkpoint")  # starts its thread at the first save in the background
        self._under_way: Future[Path] | None = None
        self._saved = -1
        if self.folder is not None and run.saves_shards:
            check_one_folder(self.folder, run.world)

    def after_step(self, step: int) -> None:
        """Save if a checkpoint is due after this step (counted from 0).

        Raises:
            OSError: if that fails, or a save in the background has failed since.
        """
        if self._under_way is not None and self._under_way.done():
            self.wait()
        if self.config.is_due(step, self.config.checkpoint_every):
            self.save(step)

    def save(self, step: int) -> None:
        """Save after this step, unless that was done; every process hands in its part, rank 0 writes.

        Raises:
            OSError: if it fails, or the save before it has failed in the background.
        """
        if self.folder is None or step == self._saved:
            return
        self.wait()
        checkpoint, keep, self._saved = self.run.snapshot(step + 1), self.config.keep_checkpoints, step
        if self.run.saves_shards:
            save_sharded(self.folder, checkpoint, self.run.world, keep=keep)
        if self.run.saves_shards or not self.run.world.is_main:
            return
        if self.config.background_saves:
            self._under_way = self._writer.submit(save_checkpoint, self.folder, checkpoint.copy(), keep=keep)
        else:
            save_checkpoint(self.folder, checkpoint, keep=keep)

    def wait(self) -> None:
        """Wait for the save under way, if there is one.

        Raises:
            OSError: if it failed.
        """
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except OSError as failure:
            if error is None:
                raise
            warnings.warn(str(failure), stacklevel=2)  # what ended the run is the error to be seen
        finally:
            self._writer.shutdown(wait=False)
