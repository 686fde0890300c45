"""Stochastic gradient descent: straight against the gradient of one batch.

Dimensions: K numbers in a parameter.
"""

from typing import Any

from torch import Tensor
from torch.optim.sgd import sgd as torch_sgd

from minigpt.equations import equation
from minigpt.train.optim.base import EquationOptimizer, Rule, Settings, State, gradient


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equation, one parameter after another."""
    for theta in parameters:
        theta.sub_(group["lr"] * (gradient(theta) + group["weight_decay"] * theta))


def fused_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equation for all parameters at once, in PyTorch's kernel; with momentum too, where the state has it."""
    torch_sgd(
        parameters,
        [gradient(p) for p in parameters],
        [state.get("m") for state in states],
        fused=True,
        weight_decay=group["weight_decay"],
        momentum=group.get("momentum", 0.0),
        lr=group["lr"],
        dampening=0.0,
        nesterov=group.get("nesterov", False),
        maximize=False,
    )


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
        implementation: "formula" runs the equation as written; "fused" PyTorch's kernel, the same to rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    rule = Rule((), formula_update, fused_update)
    relative_rate = 50.0

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.0, implementation: str = "fused") -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay}, implementation)
