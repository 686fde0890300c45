"""Checkpoints: one folder a step, whole or not there at all, with nothing in it that can run.

::

    step-00000500/
      model.safetensors       the weights
      optimizer.safetensors   AdamW's two moments of each weight
      state.json              step, model and training configuration, tokenizer, fingerprint of the data
      MANIFEST.json           size and sha256 of the other files; written last

A save writes ``step-….tmp``, flushes it to the disk and renames it, so a crash at any instant leaves the older
checkpoints as they were. A load takes the newest folder whose files match its manifest.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

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


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write one checkpoint below ``folder`` and delete all but the newest ``keep``.

    Returns:
        The checkpoint's own folder.

    Raises:
        OSError: if it can't be written, with the mend; the older checkpoints are as they were and nothing is left over.
    """
    final = folder / f"step-{checkpoint.step:08d}"
    partial = final.with_suffix(".tmp")
    contents = {
        "model.safetensors": safetensors.torch.save(_on_cpu(checkpoint.model)),
        "optimizer.safetensors": safetensors.torch.save(_on_cpu(checkpoint.optimizer)),
        "state.json": json.dumps({"step": checkpoint.step, **checkpoint.state}, indent=1).encode(),
    }
    manifest = {name: {"size": len(data), "sha256": _sha256(data)} for name, data in contents.items()}
    with _nothing_left_over(partial):
        sweep_partial(folder)
        partial.mkdir(parents=True)
        for name, data in contents.items():
            _write_through(partial / name, data)
        _write_through(partial / "MANIFEST.json", json.dumps(manifest, indent=1).encode())
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        _flush_folder(folder)
    for old in checkpoint_folders(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def load_checkpoint(folder: Path, *, device: str = "cpu") -> Checkpoint:
    """The newest checkpoint below ``folder`` that is whole.

    A folder that fails its manifest is passed over with a warning that names the file.

    Raises:
        ValueError: if there is none.
    """
    candidates = checkpoint_folders(folder)
    for candidate in reversed(candidates):
        try:
            return _read(candidate, device)
        except ValueError as error:
            warnings.warn(f"{candidate.name} is damaged and passed over: {error}", stacklevel=2)
    found = f"{len(candidates)} damaged one(s)" if candidates else "none"
    raise ValueError(f"no usable checkpoint in {folder}: found {found}; train one with `minigpt train --out …`")


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
        folder.mkdir(parents=True, exist_ok=True)
        sweep_partial(folder)
    return folder


def checkpoint_folders(folder: Path) -> list[Path]:
    """The checkpoints below ``folder``, oldest first; not looked into."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _FOLDER.match(path.name) and path.is_dir())


def sweep_partial(folder: Path) -> None:
    """Delete what a crash in the middle of a save left behind."""
    for path in folder.glob("step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def _read(folder: Path, device: str) -> Checkpoint:
    manifest = _read_json(folder / "MANIFEST.json")
    if set(manifest) != set(_FILES):
        raise ValueError(f"its manifest lists {sorted(manifest)}, expected {sorted(_FILES)}")
    contents = {name: _read_verified(folder / name, manifest[name]) for name in _FILES}
    try:
        state = json.loads(contents["state.json"])
        model, optimizer = (safetensors.torch.load(contents[f"{part}.safetensors"]) for part in ("model", "optimizer"))
    except (ValueError, safetensors.SafetensorError) as error:
        raise ValueError(f"its contents can't be read: {error}") from None
    if not isinstance(state, dict) or not {"step", *_STATE} <= set(state) or not isinstance(state["step"], int):
        raise ValueError(f"state.json lacks one of step, {', '.join(_STATE)}")
    if not all(isinstance(state[name], dict) for name in ("model_config", "train_config", "data")):
        raise ValueError("state.json holds a configuration that is no JSON object")
    return Checkpoint(
        step=state.pop("step"),
        model={name: tensor.to(device) for name, tensor in model.items()},
        optimizer={name: tensor.to(device) for name, tensor in optimizer.items()},
        state=state,
    )


def _read_verified(path: Path, entry: Any) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
    if not isinstance(entry, dict) or entry.get("size") != len(data) or entry.get("sha256") != _sha256(data):
        raise ValueError(f"{path.name} ({len(data)} bytes) does not match the sha256 in its manifest")
    return data


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} can't be read: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return value


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    # Windows can't open a folder; there a rename is durable when it returns.
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _nothing_left_over(partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: {partial.stem} was not saved to {partial.parent}; the checkpoints before it are "
                "whole. Free some space and go on with --resume",
            ) from None
        raise
