"""Stochastic gradient descent: straight against the gradient of one batch.

Dimensions: K numbers in a parameter.
"""

from typing import Any

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin
from minigpt.training.optim.base import EquationOptimizer, Settings, State, UpdateRule, gradient


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equation, one parameter after another."""
    for theta in parameters:
        theta.sub_(group["lr"] * (gradient(theta) + group["weight_decay"] * theta))


@fast_twin(
    of=formula_update,
    error=1e-6,
    gradient="none",
    when='`SGD` with `implementation="fast"`',
    faster="each operation on all parameters at once",
)
def fast_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equation for all parameters at once."""
    steps = torch._foreach_add([gradient(p) for p in parameters], parameters, alpha=group["weight_decay"])
    torch._foreach_add_(parameters, steps, alpha=-group["lr"])


@equation(
    "sgd",
    r"\theta_t = \theta_{t-1} - \eta (g_t + \lambda \theta_{t-1})",
    symbols={
        r"\theta_{t-1}": "(K) parameters before the update",
        r"\theta_t": "(K) parameters after it",
        "g_t": "(K) gradient",
        r"\eta": "() learning rate",
        r"\lambda": "() weight decay",
    },
    source="Robbins & Monro 1951, Annals of Mathematical Statistics 22",
)
class SGD(EquationOptimizer):
    """Gradient descent on one batch at a time.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        lr: η, the learning rate.
        weight_decay: λ; the same whether one adds it to the loss as L2 or takes it from the weights.
        implementation: "formula" runs the equation as written; "fast" takes all parameters at once, the same to
            rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    rule = UpdateRule((), formula_update, fast_update)
    relative_rate = 50.0

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.0, implementation: str = "fast") -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay}, implementation)
