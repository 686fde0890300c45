r"""Momentum: gradient descent against a sum of past gradients, in which older ones count less and less.

Where the gradients keep pointing one way the steps grow up to $1 / (1 - \mu)$ times as long; where they swing to and
fro they cancel.

Dimensions: K numbers in a parameter.
"""

from typing import Any

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin
from minigpt.training.optim.base import EquationOptimizer, Settings, State, UpdateRule, gradient


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equations, one parameter after another."""
    mu = group["momentum"]
    for theta, state in zip(parameters, states, strict=True):
        m = state["m"]
        g = gradient(theta) + group["weight_decay"] * theta
        m.copy_(mu * m + g)
        theta.sub_(group["lr"] * (g + mu * m if group["nesterov"] else m))


@fast_twin(
    of=formula_update,
    error=1e-6,
    gradient="none",
    when='`Momentum` with `implementation="fast"`',
    faster="each operation on all parameters at once",
)
def fast_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equations, each operation on all parameters at once."""
    mu, m = group["momentum"], [state["m"] for state in states]
    g = torch._foreach_add([gradient(p) for p in parameters], parameters, alpha=group["weight_decay"])
    torch._foreach_mul_(m, mu)
    torch._foreach_add_(m, g)
    steps = torch._foreach_add(g, m, alpha=mu) if group["nesterov"] else m
    torch._foreach_add_(parameters, steps, alpha=-group["lr"])


@equation(
    "momentum",
    r"""\begin{aligned}
    m_t &= \mu m_{t-1} + \hat{g}_t \\
    \theta_t &= \theta_{t-1} - \eta u_t
    \end{aligned}""",
    where=[
        r"\hat{g}_t = g_t + \lambda \theta_{t-1}",
        r"u_t = \begin{cases} \hat{g}_t + \mu m_t & \text{if } n = 1 \\ m_t & \text{otherwise} \end{cases}",
    ],
    symbols={
        r"\theta_{t-1}": "(K) parameters before the update",
        r"\theta_t": "(K) parameters after it",
        "g_t": "(K) gradient",
        r"\hat{g}_t": "(K) gradient of the loss with its L2 penalty",
        "m_{t-1}": "(K) sum of gradients before",
        "m_t": "(K) sum of gradients",
        "u_t": "(K) direction of the step",
        "n": "() 1 for Nesterov's form, which looks one step ahead, otherwise 0",
        r"\eta": "() learning rate",
        r"\mu": "() share of the sum that is kept",
        r"\lambda": "() weight decay, as L2 penalty",
    },
    source="Polyak 1964; in the form of Sutskever, Martens, Dahl & Hinton 2013, ICML, with the rate outside the sum",
)
class Momentum(EquationOptimizer):
    """Gradient descent with momentum, Polyak's or Nesterov's.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        lr: η, the learning rate.
        momentum: μ, the share of the sum of gradients that is kept.
        nesterov: whether the step looks one update ahead.
        weight_decay: λ, as an L2 penalty in the loss.
        implementation: "formula" runs the equations as written; "fast" takes all parameters at once, the same to
            rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    rule = UpdateRule(("m",), formula_update, fast_update)
    relative_rate = 5.0

    def __init__(
        self,
        params: Any,
        lr: float = 0.1,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        implementation: str = "fast",
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        super().__init__(params, settings, implementation)
