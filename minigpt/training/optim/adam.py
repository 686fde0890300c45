r"""Adam: each number takes steps of about the learning rate, whatever the size of its gradients.

The mean of past gradients is divided by the root of the mean of their squares. Both means begin at 0, which
$\hat{m}_t$ and $\hat{v}_t$ make good.

Departure: the paper has no weight decay; here $\lambda$ adds the gradient of an L2 penalty, as is usual. AdamW decays
the weights themselves.

Dimensions: K numbers in a parameter.
"""

from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam as torch_adam

from minigpt.equations import equation, fast_twin
from minigpt.training.optim.base import EquationOptimizer, Settings, State, UpdateRule, gradient


def moments(state: State, g: Tensor, betas: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Take one gradient into both means, in place, and return them with their start at 0 made good."""
    (beta_1, beta_2), m, v = betas, state["m"], state["v"]
    state["step"] += 1
    t = state["step"].item()
    m.copy_(beta_1 * m + (1 - beta_1) * g)
    v.copy_(beta_2 * v + (1 - beta_2) * g**2)
    return m / (1 - beta_1**t), v / (1 - beta_2**t)


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equations, one parameter after another."""
    for theta, state in zip(parameters, states, strict=True):
        m_hat, v_hat = moments(state, gradient(theta) + group["weight_decay"] * theta, group["betas"])
        theta.sub_(group["lr"] * m_hat / (v_hat.sqrt() + group["eps"]))


@fast_twin(
    of=formula_update,
    error=1e-6,
    gradient="none",
    when='`Adam` with `implementation="fast"`',
    faster="PyTorch's kernel, of all parameters at once",
)
def fast_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equations for all parameters at once."""
    kernel_update(group, parameters, states, decoupled=False)


def kernel_update(group: Settings, parameters: list[Tensor], states: list[State], *, decoupled: bool) -> None:
    """The equations of Adam, or with ``decoupled`` those of AdamW, for all parameters at once in PyTorch's kernel."""
    for theta, state in zip(parameters, states, strict=True):
        state["step"] = state["step"].to(theta.device)
    torch_adam(
        parameters,
        [gradient(p) for p in parameters],
        [state["m"] for state in states],
        [state["v"] for state in states],
        [],
        [state["step"] for state in states],
        fused=True,
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
        decoupled_weight_decay=decoupled,
    )
    # the kernel does not count its change, so autograd would take a stale graph's gradient without a word
    torch.autograd.graph.increment_version(parameters)


KEEPS = ("step", "m", "v")
SYMBOLS = {
    r"\theta_{t-1}": "(K) parameters before the update",
    r"\theta_t": "(K) parameters after it",
    "g_t": "(K) gradient",
    "m_{t-1}": "(K) first moment before",
    "m_t": "(K) first moment",
    "v_{t-1}": "(K) second moment before",
    "v_t": "(K) second moment",
    r"\hat{m}_t": "(K) first moment, its start at 0 made good",
    r"\hat{v}_t": "(K) second moment, its start at 0 made good",
    "t": "() number of the update, from 1",
    r"\eta": "() learning rate",
    r"\beta_1": "() how slowly the first moment forgets",
    r"\beta_2": "() how slowly the second moment forgets",
    r"\epsilon": "() small constant, in units of a gradient",
}


@equation(
    "adam",
    r"""\begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1) \hat{g}_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2) \hat{g}_t^2 \\
    \theta_t &= \theta_{t-1} - \eta \frac{\hat{m}_t}{\sqrt{\hat{v}_t} + \epsilon}
    \end{aligned}""",
    where=[
        r"\hat{g}_t = g_t + \lambda \theta_{t-1}",
        r"\hat{m}_t = \frac{m_t}{1 - \beta_1^t}",
        r"\hat{v}_t = \frac{v_t}{1 - \beta_2^t}",
    ],
    symbols=SYMBOLS
    | {
        r"\hat{g}_t": "(K) gradient of the loss with its L2 penalty",
        r"\lambda": "() weight decay, as L2 penalty",
    },
    source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1",
)
class Adam(EquationOptimizer):
    """Adam, with weight decay as an L2 penalty if it is wanted.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        lr: η, the learning rate.
        betas: β₁ and β₂, how slowly the two moments forget.
        eps: ε, outside the root; unit of a gradient.
        weight_decay: λ, as an L2 penalty in the loss.
        implementation: "formula" runs the equations as written; "fast" PyTorch's kernel, the same to rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    rule = UpdateRule(KEEPS, formula_update, fast_update)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        implementation: str = "fast",
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}, implementation)
