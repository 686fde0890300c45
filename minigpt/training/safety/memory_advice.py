"""What to do where there is too little memory for a step."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from minigpt.model import GPT
from minigpt.training.run_state import RunState
from minigpt.training.safety.free_memory import free_memory
from minigpt.training.safety.memory import StepMemory, step_memory
from minigpt.training.safety.parts import has_blocks

MARGIN = 0.9  # of the memory there is, what a suggestion may fill: some is lost to gaps between tensors
UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@contextmanager
def memory_advice(run: RunState) -> Iterator[None]:
    """Turn PyTorch's "out of memory" into what was asked for, what a step needs, and what would fit.

    Raises:
        MemoryError: with the advice.
    """
    try:
        yield
        return
    except RuntimeError as error:  # torch.OutOfMemoryError is one too
        words = str(error)
        if not (isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator: can't allocate" in words):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold the tensors of the step that failed
    needs = _measured(run)
    micro = run.world.micro_batch(run.config.batch_size, run.config.micro_batch_size)
    there = None if needs is None else _memory(run.world.device, needs)
    needed = "" if needs is None else _needed(needs, micro, there)
    raise MemoryError(
        f"out of memory on {run.world.device}{_asked(words)}.{needed} Try {_suggested(run, micro, needs, there)}"
    )


def _measured(run: RunState) -> StepMemory | None:
    """What a step needs, where that can be found out: in one process, and if two sequences fit."""
    if run.world.size > 1:
        return None
    try:
        if run.world.device.type == "cuda":
            torch.cuda.empty_cache()
        return step_memory(run)
    except RuntimeError:
        return None


def _memory(device: torch.device, needs: StepMemory) -> int | None:
    """All that a step may fill: what is free, and what the run holds already."""
    spare = spare_bytes(device)
    return None if spare is None else spare + needs.weights + needs.moments


def _asked(words: str) -> str:
    found = re.search(r"tried to allocate ([\d.]+) (bytes|[KMGT]iB)", words, re.IGNORECASE)
    return f", which was asked for {_size(float(found[1]) * UNITS[found[2]])} more" if found else ""


def _needed(needs: StepMemory, micro: int, there: int | None) -> str:
    has = "" if there is None else f", and there are {_size(there)}"
    return (
        f" A step needs about {_size(needs.total(micro))}{has}: weights {_size(needs.weights)}, gradients "
        f"{_size(needs.gradients)}, moments {_size(needs.moments)}, activations of {micro} sequences "
        f"{_size(needs.working(micro))}."
    )


def _suggested(run: RunState, micro: int, needs: StepMemory | None, there: int | None) -> str:
    """What to try: the largest smaller micro-batch that fits, and the switches that are still off."""
    share = run.config.batch_size // run.world.size
    smaller = [n for n in range(1, micro) if share % n == 0]
    if needs is not None and there is not None:
        smaller = [n for n in smaller if needs.total(n) <= MARGIN * there]
    suggestions = []
    if smaller:
        size = "" if needs is None else f" (about {_size(needs.total(smaller[-1]))})"
        suggestions.append(f"micro_batch_size={smaller[-1]}{size}, which changes no result")
    if not run.config.activation_checkpointing and has_blocks(run.model):
        suggestions.append("activation_checkpointing=True, which changes none either")
    model = run.model
    if run.config.loss == "logits" and isinstance(model, GPT) and model.config.vocab_size > model.config.d_model:
        suggestions.append('loss="chunked", which changes the rounding')
    if run.precision.name == "fp32":
        suggestions.append('precision="bf16"')
    return "; ".join(suggestions or ["a shorter context_length or a smaller model"])


def spare_bytes(device: torch.device) -> int | None:
    """The memory that is free on a device, in bytes; ``None`` where that can't be known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory() if device.type == "cpu" else None


def _size(n_bytes: float) -> str:
    unit = next((unit for unit, size in reversed(UNITS.items()) if n_bytes >= size), "bytes")
    return f"{n_bytes / UNITS[unit]:.3g} {unit}"
