"""Checkpoints: one folder a step, whole or not there at all, with nothing in it that can run.

::

    step-00000500/
      model.safetensors       the weights
      optimizer.safetensors   what the optimizer keeps of each weight, such as AdamW's two moments
      state.json              step, model and training configuration, tokenizer, fingerprint of the data
      MANIFEST.json           size and sha256 of the other files; written last

A save writes ``step-….tmp``, flushes it to the disk and renames it, so a crash at any instant leaves the older
checkpoints as they were. A load takes the newest folder whose files match its manifest.

There is no state of a random generator or of the data here, because there is none: batches, dropout and the learning
rate are functions of the seed and the step.
"""

import json
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from minigpt.files.atomic import explain_full_disk
from minigpt.files.durable import delete_folder, flush_folder, nothing_left_over, write_through
from minigpt.files.untrusted import parse_object, parse_tensors, read_bytes, read_verified, sha256
from minigpt.training.processes.strategies import copy_whole

_FOLDER = re.compile(r"step-(\d{8,})$")
_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")
_STATE = ("model_config", "train_config", "tokenizer", "data")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that a run needs to go on as if it had never stopped; the rest follows from the step.

    Attributes:
        step: how many updates were made.
        model: the weights by name.
        optimizer: the optimizer's tensors by name; empty where only the model is wanted.
        state: what JSON can hold: "model_config", "train_config", "tokenizer", "data".
    """

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]

    def copy(self) -> "Checkpoint":
        """The same in memory of its own, on the CPU: the run may go on while it is written."""
        model, optimizer = (
            {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
            for tensors in (self.model, self.optimizer)
        )
        return replace(self, model=model, optimizer=optimizer)

    def copy_to(self, model: dict[str, Tensor], optimizer: dict[str, Tensor]) -> None:
        """Copy into tensors of the same names and shapes, in place."""
        for own, saved in ((model, self.model), (optimizer, self.optimizer)):
            for name, tensor in own.items():
                copy_whole(tensor, saved[name])

    def whole(self) -> "Checkpoint":
        """The same with all tensors in memory, as they are here."""
        return self


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write one checkpoint below ``folder`` and delete all but the newest ``keep``.

    Args:
        folder: of all checkpoints of the run.
        checkpoint: what is written.
        keep: how many stay, at least 1.

    Returns:
        The checkpoint's own folder.

    Raises:
        OSError: if it can't be written, with the mend; the older checkpoints are as they were and nothing is left over.
    """
    with new_folder(folder, checkpoint.step, keep=keep) as partial:
        write_manifest(partial, checkpoint, {name: _write(partial / name, data) for name, data in _files(checkpoint)})
    return folder / f"step-{checkpoint.step:08d}"


def partial_folder(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` lies while it is written."""
    return folder / f"step-{step:08d}.tmp"


@contextmanager
def new_folder(folder: Path, step: int, *, keep: int) -> Iterator[Path]:
    """A folder to write in, which becomes the checkpoint of ``step`` at the end, whole or not at all.

    All but the newest ``keep`` checkpoints are deleted then.
    """
    partial = partial_folder(folder, step)
    final = partial.with_suffix("")
    consequence = (
        f"{final.name} was not saved to {folder}; the checkpoints before it are whole. Free some space and go on with "
        "--resume"
    )
    with nothing_left_over(partial, consequence):
        sweep_partial(folder)
        partial.mkdir(parents=True)
        yield partial
        flush_folder(partial)
        if final.exists():
            delete_folder(final)
        partial.rename(final)
    with explain_full_disk(f"{final.name} is in {folder}, but the disk did not confirm it. Free some space"):
        flush_folder(folder)
    for old in checkpoint_folders(folder)[:-keep]:
        delete_folder(old)


def write_manifest(partial: Path, checkpoint: Checkpoint, entries: dict[str, dict[str, Any]]) -> None:
    """Write ``state.json``, then what seals the checkpoint: the manifest of all its files."""
    state = json.dumps({"step": checkpoint.step, **checkpoint.state}, indent=1).encode()
    manifest = {**entries, "state.json": _write(partial / "state.json", state)}
    write_through(partial / "MANIFEST.json", json.dumps(manifest, indent=1).encode())


def load_checkpoint(folder: Path) -> Checkpoint:
    """The newest checkpoint below ``folder`` that is whole, with its tensors on the CPU.

    A folder that fails its manifest is passed over with a warning that names the file.

    Args:
        folder: of all checkpoints of the run.

    Raises:
        ValueError: if there is none.
    """
    return _newest(folder).whole()


def _newest(folder: Path) -> Checkpoint:
    candidates = checkpoint_folders(folder)
    for candidate in reversed(candidates):
        try:
            return _read(candidate)
        except ValueError as error:
            warnings.warn(f"{candidate.name} is damaged and passed over: {error}", stacklevel=3)
    found = f"{len(candidates)} damaged one(s)" if candidates else "none"
    raise ValueError(f"no usable checkpoint in {folder}: found {found}; train one with `minigpt train --out …`")


def resume_checkpoint(folder: Path, *, writes: bool = True) -> Checkpoint:
    """:func:`load_checkpoint`, for a run that goes on from there; tensors that are sharded stay on the disk.

    What is newer is damaged: it becomes ``step-….damaged``, so that it isn't counted among those to be kept.

    Args:
        folder: of the checkpoints.
        writes: of several processes that share the folder, only one changes it.

    Raises:
        ValueError: if there is no whole checkpoint.
    """
    checkpoint = _newest(folder)
    for newer in checkpoint_folders(folder):
        if writes and _step(newer) > checkpoint.step:
            aside = newer.with_suffix(".damaged")
            shutil.rmtree(aside, ignore_errors=True)
            newer.rename(aside)
    return checkpoint


def checkpoint_folders(folder: Path) -> list[Path]:
    """The checkpoints below ``folder``, oldest first; not looked into."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _FOLDER.match(path.name) and path.is_dir()), key=_step)


def sweep_partial(folder: Path) -> None:
    """Delete what a crash in the middle of a save left behind."""
    for path in folder.glob("step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("step-"))


def _files(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """The names and contents of a checkpoint's files, one in memory at a time."""
    yield "model.safetensors", safetensors.torch.save(_on_cpu(checkpoint.model))
    yield "optimizer.safetensors", safetensors.torch.save(_on_cpu(checkpoint.optimizer))


def _write(path: Path, data: bytes) -> dict[str, Any]:
    """Write one file and return its line of the manifest."""
    write_through(path, data)
    return {"size": len(data), "sha256": sha256(data)}


def _read(folder: Path) -> Checkpoint:
    from minigpt.training.storage.sharded import is_sharded, open_sharded  # which imports this module

    manifest = parse_object("MANIFEST.json", read_bytes(folder / "MANIFEST.json"))
    if is_sharded(manifest):
        return open_sharded(folder, manifest)
    if set(manifest) != set(_FILES):
        raise ValueError(f"its manifest lists {sorted(manifest)}, expected {sorted(_FILES)}")
    contents = {name: read_verified(folder / name, manifest[name]) for name in _FILES}
    step, state = parse_state(folder, contents["state.json"])
    model, optimizer = (parse_tensors(name, contents[name]) for name in _FILES[:2])
    return Checkpoint(step=step, model=model, optimizer=optimizer, state=state)


def parse_state(folder: Path, data: bytes) -> tuple[int, dict[str, Any]]:
    """The step and the state in ``state.json`` of a checkpoint's folder.

    Raises:
        ValueError: if something is missing or of another kind, or the step is not the folder's.
    """
    state = parse_object("state.json", data)
    if not {"step", *_STATE} <= set(state):
        raise ValueError(f"state.json lacks one of step, {', '.join(_STATE)}")
    if not all(isinstance(state[name], dict) for name in ("model_config", "train_config", "data")):
        raise ValueError("state.json holds a configuration that is no JSON object")
    if state["step"] != _step(folder):
        raise ValueError(f"state.json speaks of step {str(state['step'])[:20]}")
    return int(state.pop("step")), state


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
