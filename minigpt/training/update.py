"""The optimizer of a run, and its learning rate."""

import inspect
from typing import Any

import torch
from torch import nn

from minigpt.training.config import TrainConfig
from minigpt.training.execution.precision import resolve_precision
from minigpt.training.optim import OPTIMIZERS, EquationOptimizer, decay_groups
from minigpt.training.processes.distributed import ALONE, World
from minigpt.training.processes.shared_optimizer import SharedOptimizer


def build_optimizer(model: nn.Module, config: TrainConfig, world: World = ALONE) -> EquationOptimizer | SharedOptimizer:
    """The optimizer that the configuration names, of the model's parameters in their roles.

    Args:
        model: what is trained.
        config: names the optimizer; with strategy "zero" the processes share it.
        world: the processes.
    """
    optimizer = OPTIMIZERS[config.optimizer]
    precision = resolve_precision(config.precision, next(model.parameters()).device)
    settings: dict[str, Any] = {
        "betas": (config.beta_1, config.beta_2),
        "momentum": config.momentum,
        "orthogonal": config.orthogonal or ("jordan-5" if precision == "fp32" else "polar-3"),
        "precision": None if precision == "fp32" else torch.bfloat16,
    }
    takes = inspect.signature(optimizer).parameters
    chosen = {name: value for name, value in settings.items() if name in takes and value is not None}
    groups = decay_groups(model, config.weight_decay)
    if config.strategy == "zero" and world.size > 1:
        return SharedOptimizer(optimizer, groups, **chosen)
    return optimizer(groups, **chosen)


def set_learning_rate(optimizer: EquationOptimizer | SharedOptimizer, rate: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
