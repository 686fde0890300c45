"""Checkpoints that every process writes its part of, for models that no process holds whole.

::

    step-00000500/
      shard-00001-model-00001-of-00001.safetensors   what the first process keeps of each weight and moment
      shard-00002-model-00001-of-00001.safetensors   the second
      state.json, MANIFEST.json                      as in every checkpoint

The folder appears whole or not at all, like any other. Any number of processes can read it, each the rows that it
needs; so can one that wants the plain weights. The format is that of PyTorch's distributed checkpoints in its
safetensors variant, which has no pickle in it.
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minigpt.files.json_object import LIMIT
from minigpt.files.verified import check_file, check_unchanged_file, entry_of_file, read_verified
from minigpt.training.processes.distributed import World
from minigpt.training.storage.checkpoint import STATE, Checkpoint, parse_state, state_bytes, write_manifest
from minigpt.training.storage.folders import new_folder, partial_folder, step_of

MODEL_PREFIX, OPTIMIZER_PREFIX = "model/", "optimizer/"


@dataclass(frozen=True, kw_only=True)
class ShardedCheckpoint(Checkpoint):
    """A checkpoint whose tensors stay on disk: those that it holds have a shape and a type, but no contents.

    Attributes:
        folder: where the shards are.
        identities: what tells each of them, as it was checked, from what may be there later.
    """

    folder: Path
    identities: dict[str, tuple[int, ...]]

    def copy_to(self, model: dict[str, Tensor], optimizer: dict[str, Tensor]) -> None:
        """Read into tensors, in place; where they are sharded, all processes must call it, and each reads its rows.

        Raises:
            ValueError: if a file is not the one that was checked; what was read from it is in the tensors then.
        """
        tensors = {name: tensor for name, tensor in _named(model, optimizer).items() if not tensor.is_meta}
        _read_into(tensors, self.folder, alone=not any(hasattr(tensor, "full_tensor") for tensor in tensors.values()))
        _check_unchanged(self.folder, self.identities)

    def whole(self) -> Checkpoint:
        """The same as an ordinary checkpoint, in memory."""
        model, optimizer = (
            {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in tensors.items()}
            for tensors in (self.model, self.optimizer)
        )
        self.copy_to(model, optimizer)
        return Checkpoint(step=self.step, model=model, optimizer=optimizer, state=self.state)


def check_one_folder(folder: Path, world: World) -> None:
    """Refuse to train where the processes would write the parts of one checkpoint into several folders.

    Args:
        folder: of all checkpoints of the run; it exists where rank 0 is.
        world: the processes, which must all call it.

    Raises:
        ValueError: on every process, if one of them does not see what rank 0 puts there.
    """
    sign = folder / "step-seen-by-all.tmp"  # after a crash it is swept like a partial checkpoint
    if world.is_main:
        sign.touch()
    world.any(False)  # it is there when this returns
    hidden = world.any(not sign.exists())
    if world.is_main:
        sign.unlink(missing_ok=True)
    if hidden:
        raise ValueError(
            f"the processes do not all see the folder {folder}, where rank 0 saves: each writes its part of a sharded "
            "checkpoint. Give all of them the same --out, on a disk that all machines share, or leave out "
            "--sharded-checkpoints"
        )


def save_sharded(folder: Path, checkpoint: Checkpoint, world: World, *, keep: int = 2) -> None:
    """Write one checkpoint below ``folder``; every process must call it with the tensors as it holds them.

    Raises:
        ValueError: on every process, if its state can't be loaded again.
        OSError: on every process, if one of them can't write its part.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageWriter, save

    state_bytes(checkpoint)  # refused by every process, and before anything is written
    mine = nullcontext(partial_folder(folder, checkpoint.step))
    with new_folder(folder, checkpoint.step, keep=keep) if world.is_main else mine as partial:
        world.any(False)  # rank 0 has made the folder when this returns
        with _translated():
            writer = HuggingFaceStorageWriter(str(partial), save_distributed=True)
            save(_named(checkpoint.model, checkpoint.optimizer), storage_writer=writer)
        written = {path.name: entry_of_file(path) for path in partial.glob(f"shard-{world.rank + 1:05d}-*.safetensors")}
        entries = [json.loads(text) for text in world.gather(json.dumps(written))]
        if world.is_main:
            write_manifest(partial, checkpoint, {name: entry for part in entries for name, entry in part.items()})


def open_sharded(folder: Path, manifest: dict[str, Any]) -> ShardedCheckpoint:
    """The sharded checkpoint in ``folder``, its files compared with its manifest.

    Raises:
        ValueError: if a file is not the one that the manifest names, or can't be read.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageReader

    identities = {name: check_file(folder / name, manifest[name]) for name in manifest if name != STATE}
    try:
        metadata: dict[str, Any] = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
        kinds = {
            name: torch.empty(kind.size, dtype=kind.properties.dtype, device="meta") for name, kind in metadata.items()
        }
    except Exception as error:  # to a forged header the parser answers with exceptions of many types
        raise ValueError(f"its shards can't be read: {type(error).__name__} {error}") from None
    _check_unchanged(folder, identities)
    step = step_of(folder)
    state = parse_state(read_verified(folder / STATE, manifest.get(STATE), limit=LIMIT, links=False), step)
    model, optimizer = (
        {name.removeprefix(part): kind for name, kind in kinds.items() if name.startswith(part)}
        for part in (MODEL_PREFIX, OPTIMIZER_PREFIX)
    )
    return ShardedCheckpoint(
        step=step, model=model, optimizer=optimizer, state=state, folder=folder, identities=identities
    )


def is_sharded(manifest: dict[str, Any]) -> bool:
    """Whether this is the manifest of a sharded checkpoint; it names no file outside its folder then."""
    shards = [name for name in manifest if name != STATE]
    return bool(shards) and all(name.startswith("shard-") and Path(name).name == name for name in shards)


def _read_into(tensors: dict[str, Tensor], folder: Path, *, alone: bool) -> None:
    from torch.distributed.checkpoint import HuggingFaceStorageReader, load

    with _translated(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)
        load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=alone)


def _check_unchanged(folder: Path, identities: dict[str, tuple[int, ...]]) -> None:
    """PyTorch opens the files by their names, each time again; they must be the ones that were compared."""
    for name, identity in identities.items():
        check_unchanged_file(folder / name, identity)


def _named(model: dict[str, Tensor], optimizer: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights and moments as one set of names."""
    parts = ((MODEL_PREFIX, model), (OPTIMIZER_PREFIX, optimizer))
    return {part + name: tensor for part, tensors in parts for name, tensor in tensors.items()}


@contextmanager
def _translated() -> Iterator[None]:
    """What PyTorch's engine raises, on every process, as the error that ordinary files would have raised."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        yield
    except CheckpointException as error:
        rank, (cause, _) = next(iter(error.failures.items()))
        if isinstance(cause, OSError):
            raise cause from None
        raise OSError(f"rank {rank} could not read or write its part: {cause}") from None
