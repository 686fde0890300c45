"""Lion: only the sign of a mean of gradients counts, so that every number moves by exactly the learning rate.

It remembers one number for each parameter where Adam remembers two. Its steps are as long as Adam's longest, so it
wants a learning rate several times lower.

Dimensions: K numbers in a parameter.
"""

from typing import Any

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin
from minigpt.training.optim.base import EquationOptimizer, Settings, State, UpdateRule, gradient


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equations, one parameter after another."""
    beta_1, beta_2 = group["betas"]
    for theta, state in zip(parameters, states, strict=True):
        g, m = gradient(theta), state["m"]
        theta.sub_(group["lr"] * (torch.sign(beta_1 * m + (1 - beta_1) * g) + group["weight_decay"] * theta))
        m.copy_(beta_2 * m + (1 - beta_2) * g)


@fast_twin(
    of=formula_update,
    error=1e-6,
    gradient="none",
    when='`Lion` with `implementation="fast"`',
    faster="each operation on all parameters at once",
    exact="the sign of each step",
)
def fast_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equations, each operation on all parameters at once."""
    (beta_1, beta_2), lr = group["betas"], group["lr"]
    gradients, m = [gradient(p) for p in parameters], [state["m"] for state in states]
    mixed = torch._foreach_mul(m, beta_1)  # not lerp: rounded otherwise, a sum near 0 could change its sign
    torch._foreach_add_(mixed, torch._foreach_mul(gradients, 1 - beta_1))
    torch._foreach_sign_(mixed)
    torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
    torch._foreach_add_(parameters, mixed, alpha=-lr)
    torch._foreach_mul_(m, beta_2)
    torch._foreach_add_(m, gradients, alpha=1 - beta_2)


@equation(
    "lion",
    r"""\begin{aligned}
    \theta_t &= \theta_{t-1} - \eta
    (\operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t) + \lambda \theta_{t-1}) \\
    m_t &= \beta_2 m_{t-1} + (1 - \beta_2) g_t
    \end{aligned}""",
    symbols={
        r"\theta_{t-1}": "(K) parameters before the update",
        r"\theta_t": "(K) parameters after it",
        "g_t": "(K) gradient",
        "m_{t-1}": "(K) mean of gradients before",
        "m_t": "(K) mean of gradients",
        r"\eta": "() learning rate",
        r"\beta_1": "() share of the old mean in the step",
        r"\beta_2": "() share of the old mean in the new one",
        r"\lambda": "() weight decay, per unit of learning rate",
    },
    source="Chen et al. 2023, arXiv:2302.06675",
)
class Lion(EquationOptimizer):
    """Sign descent with two ways of forgetting.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        lr: η, the learning rate: how far every number moves.
        betas: β₁, the share of the old mean in the step, and β₂, its share in the new mean.
        weight_decay: λ, per unit of learning rate.
        implementation: "formula" runs the equations as written; "fast" takes all parameters at once, the same to
            rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    rule = UpdateRule(("m",), formula_update, fast_update)
    relative_rate = 0.5

    def __init__(
        self,
        params: Any,
        lr: float = 3e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.1,
        implementation: str = "fast",
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay}, implementation)
