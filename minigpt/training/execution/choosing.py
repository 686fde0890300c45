"""What ``precision="auto"`` stands for: chosen once, when a run is started, and kept until it ends.

The choice depends on the machine, and the numbers of a run depend on the choice. So the checkpoints name the precision
itself, and a run that continues on another machine continues in it, or not at all.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from minigpt.training.config import TrainConfig
from minigpt.training.execution.precision import PRECISIONS, Precision, resolve_precision
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


def with_precision(
    config: TrainConfig, model: nn.Module, world: World, started: Mapping[str, Any] | None = None
) -> TrainConfig:
    """The configuration with a precision other than "auto": that of the run as it was started, or that of the machine.

    Where "auto" would certainly be another one now, there is a warning.

    Args:
        config: of the run.
        model: on its device.
        world: the processes.
        started: the training's configuration in the checkpoint from which the run continues, if it does.

    Raises:
        ValueError: if the run was started in a precision that this machine, or so many processes, can't compute in.
    """
    if config.precision != "auto":
        return config
    now: Any = precision_of(model, "auto", world).name
    before: Any = now if started is None else started.get("precision")
    if not isinstance(before, str) or before not in PRECISIONS:  # saved before the choice was kept
        _tell(f"the checkpoint does not say what precision='auto' was: the run continues in {now!r}")
        before = now
    if before == now or (before, now) == ("fp32", "bf16-weights"):  # which the clock may have chosen
        return replace(config, precision=before)
    try:
        precision_of(model, before, world)
    except ValueError as error:
        raise ValueError(
            f"the run was started in precision={before!r}, and can't continue in it here: {error.args[0]}. Continue it "
            "where it was started, or start anew with another output folder"
        ) from None
    _tell(f"the run continues in precision={before!r}, in which it was started; 'auto' would be {now!r} here")
    return replace(config, precision=before)


def _tell(what: str) -> None:
    warnings.warn(what, stacklevel=4)
