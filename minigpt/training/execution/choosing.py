"""What ``precision="auto"`` stands for with a model, its device and the processes."""

from torch import nn

from minigpt.training.execution.precision import Precision, resolve_precision
from minigpt.training.execution.sixteen_bits import not_copied
from minigpt.training.processes.distributed import World


def precision_of(model: nn.Module, name: str, world: World) -> Precision:
    """How a model is trained: the precision that a name stands for with its device and processes.

    Args:
        model: on its device.
        name: of the precision, or "auto".
        world: the processes.

    Raises:
        ValueError: if it asks for a copy of the weights where there can be none, or the device can't compute in it.
    """
    device = next(model.parameters()).device
    hindrance = not_copied(model) if world.size == 1 else f"{world.size} processes"
    if name == "bf16-weights" and hindrance:
        raise ValueError(f"precision='bf16-weights' is for a GPT in one process, got {hindrance}; use precision='bf16'")
    return Precision(resolve_precision(name, device, copies=not hindrance), device)
