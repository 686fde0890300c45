r"""AdamW: Adam that pulls the weights to 0 beside its step, not through the gradient.

In Adam an L2 penalty is divided by $\sqrt{\hat{v}_t}$ like the rest of the gradient, so weights with large gradients
hardly decay; here all decay alike.

Dimensions: K numbers in a parameter.
"""

from typing import Any

from torch import Tensor

from minigpt.equations import equation, fast_twin
from minigpt.training.optim.adam import KEEPS, SYMBOLS, kernel_update, moments
from minigpt.training.optim.base import EquationOptimizer, Settings, State, UpdateRule, gradient


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equations, one parameter after another."""
    for theta, state in zip(parameters, states, strict=True):
        m_hat, v_hat = moments(state, gradient(theta), group["betas"])
        theta.sub_(group["lr"] * (m_hat / (v_hat.sqrt() + group["eps"]) + group["weight_decay"] * theta))


@fast_twin(
    of=formula_update,
    error=1e-6,
    gradient="none",
    when='`AdamW` with `implementation="fast"`',
    faster="PyTorch's kernel, of all parameters at once",
)
def fast_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equations for all parameters at once."""
    kernel_update(group, parameters, states, decoupled=True)


@equation(
    "adamw",
    r"""\begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
    \theta_t &= \theta_{t-1} - \eta \left(\frac{\hat{m}_t}{\sqrt{\hat{v}_t} + \epsilon} + \lambda \theta_{t-1}\right)
    \end{aligned}""",
    where=[r"\hat{m}_t = \frac{m_t}{1 - \beta_1^t}", r"\hat{v}_t = \frac{v_t}{1 - \beta_2^t}"],
    symbols=SYMBOLS | {r"\lambda": "() weight decay, per unit of learning rate"},
    source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1; Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2",
)
class AdamW(EquationOptimizer):
    """Adam with decoupled weight decay.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        lr: η, the learning rate.
        betas: β₁ and β₂, how slowly the two moments forget.
        eps: ε, outside the root; unit of a gradient.
        weight_decay: λ, per unit of learning rate.
        implementation: "formula" runs the equations as written; "fast" PyTorch's kernel, the same to rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    rule = UpdateRule(KEEPS, formula_update, fast_update)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        implementation: str = "fast",
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}, implementation)
