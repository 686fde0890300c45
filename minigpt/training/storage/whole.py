"""Checkpoints of whole tensors, in two files: what one process saves that holds all of them."""

from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from minigpt.files.json_object import LIMIT
from minigpt.files.verified import read_verified
from minigpt.training.storage.checkpoint import STATE, Checkpoint, parse_state, write_entry, write_manifest
from minigpt.training.storage.folders import checkpoint_folder, new_folder, step_of

MODEL, OPTIMIZER = "model.safetensors", "optimizer.safetensors"


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write one checkpoint below ``folder`` and delete all but the newest ``keep``.

    Args:
        folder: of all checkpoints of the run.
        checkpoint: what is written.
        keep: how many stay, at least 1.

    Returns:
        The checkpoint's own folder.

    Raises:
        ValueError: if :func:`open_checkpoint` would refuse it, or two tensors share memory.
        OSError: if it can't be written, with what to do; the older checkpoints are unchanged and nothing is left over.
    """
    with new_folder(folder, checkpoint.step, keep=keep) as partial:
        entries = {
            name: write_entry(partial / name, _bytes_of(tensors))
            for name, tensors in ((MODEL, checkpoint.model), (OPTIMIZER, checkpoint.optimizer))
        }
        write_manifest(partial, checkpoint, entries)
    return checkpoint_folder(folder, checkpoint.step)


def open_checkpoint(folder: Path, manifest: dict[str, Any]) -> Checkpoint:
    """The checkpoint in ``folder``, with its tensors on the CPU.

    Args:
        folder: of this one checkpoint.
        manifest: the object in its ``MANIFEST.json``.

    Raises:
        ValueError: if the manifest lists other files, or a file is not the one that it describes or can't be read.
    """
    if set(manifest) != {MODEL, OPTIMIZER, STATE}:
        raise ValueError(f"its manifest lists {sorted(manifest)[:5]}, expected {sorted((MODEL, OPTIMIZER, STATE))}")
    limits = {MODEL: None, OPTIMIZER: None, STATE: LIMIT}
    contents = {
        name: read_verified(folder / name, manifest[name], limit=limit, links=False) for name, limit in limits.items()
    }
    step = step_of(folder)
    state = parse_state(contents[STATE], step)
    model, optimizer = (parse_tensors(contents[name], name) for name in (MODEL, OPTIMIZER))
    return Checkpoint(step=step, model=model, optimizer=optimizer, state=state)


def parse_tensors(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file, by name, on the CPU. The format can't run anything.

    Args:
        data: all of the file.
        name: what an error calls it.

    Raises:
        ValueError: if it is not such a file.
    """
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # to a forged header the parser answers with exceptions of many types
        raise ValueError(f"{name} can't be read: {type(error).__name__} {error}") from None


def _bytes_of(tensors: dict[str, Tensor]) -> bytes:
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    sharing: dict[int, list[str]] = {}
    for name, tensor in on_cpu.items():
        if tensor.numel():
            sharing.setdefault(tensor.data_ptr(), []).append(name)
    if names := next((names for names in sharing.values() if len(names) > 1), None):
        raise ValueError(
            f"the checkpoint can't be saved: {' and '.join(names)} share their memory; leave one of them out"
        )
    return safetensors.torch.save(on_cpu)
