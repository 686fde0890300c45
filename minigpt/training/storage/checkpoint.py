"""Checkpoints: one folder per step, whole or not there at all, with nothing in it that can run.

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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from minigpt.files.json_object import parse_object
from minigpt.files.verified import entry_of
from minigpt.training.processes.strategies import copy_whole

MANIFEST, STATE = "MANIFEST.json", "state.json"
_STATE_FIELDS = ("model_config", "train_config", "tokenizer", "data")


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


def write_entry(path: Path, data: bytes) -> dict[str, Any]:
    """Write one file of a checkpoint.

    Args:
        path: in the partial folder, which is flushed as a whole.
        data: all of the file.

    Returns:
        Its entry in the manifest.
    """
    path.write_bytes(data)
    return entry_of(data)


def write_manifest(partial: Path, checkpoint: Checkpoint, entries: dict[str, dict[str, Any]]) -> None:
    """Write ``state.json``, then the manifest of all files.

    Args:
        partial: the folder that becomes the checkpoint.
        checkpoint: its step and state are written.
        entries: those of the files of tensors, by name.
    """
    manifest = {**entries, STATE: write_entry(partial / STATE, state_bytes(checkpoint))}
    write_entry(partial / MANIFEST, json.dumps(manifest, indent=1).encode())


def state_bytes(checkpoint: Checkpoint) -> bytes:
    """The ``state.json`` of a checkpoint.

    Raises:
        ValueError: if :func:`parse_state` would refuse it, or it holds what JSON can't.
    """
    try:
        data = json.dumps({"step": checkpoint.step, **checkpoint.state}, indent=1).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"the checkpoint of step {checkpoint.step} can't be saved: its state is not JSON, {error}"
        ) from None
    try:
        parse_state(data, checkpoint.step)
    except ValueError as error:
        raise ValueError(f"the checkpoint of step {checkpoint.step} can't be saved: {error}") from None
    return data


def parse_state(data: bytes, step: int) -> dict[str, Any]:
    """The state in a checkpoint's ``state.json``.

    Args:
        data: the bytes of the file.
        step: the one in the name of the folder.

    Raises:
        ValueError: if something is missing or of another type, or the file was written for another step.
    """
    state = parse_object(data, STATE)
    if not {"step", *_STATE_FIELDS} <= set(state):
        raise ValueError(f"{STATE} lacks one of step, {', '.join(_STATE_FIELDS)}")
    if not all(isinstance(state[name], dict) for name in ("model_config", "train_config", "data")):
        raise ValueError(f"{STATE} holds a configuration that is not a JSON object")
    if not isinstance(state["tokenizer"], dict | None):  # a text would be the path of a file outside the checkpoint
        raise ValueError(f"{STATE} holds a tokenizer that is neither a JSON object nor null")
    if (written := state.pop("step")) != step:
        raise ValueError(f"{STATE} speaks of step {str(written)[:20]}")
    return state
