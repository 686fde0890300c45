r"""AdamW and gradient clipping, from their equations.

The norm that clipping limits is that of all gradients together, before the update.

Departure: the $10^{-6}$ in the divisor of clipping is PyTorch's; the paper has none.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw as torch_adamw
from torch.optim.optimizer import Optimizer

from minigpt.equations import equation
from minigpt.train.strategies import whole


@equation(
    "adamw",
    r"""\begin{aligned}
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
    \theta_t &= \theta_{t-1} - \eta \left(\frac{\hat{m}_t}{\sqrt{\hat{v}_t} + \epsilon} + \lambda \theta_{t-1}\right)
    \end{aligned}""",
    where=[r"\hat{m}_t = \frac{m_t}{1 - \beta_1^t}", r"\hat{v}_t = \frac{v_t}{1 - \beta_2^t}"],
    symbols={
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
        r"\lambda": "() weight decay, per unit of learning rate",
    },
    source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1; Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2",
)
class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        lr: η, the learning rate.
        betas: β₁ and β₂, how slowly the two moments forget.
        eps: ε, outside the root; unit of a gradient.
        weight_decay: λ, per unit of learning rate.
        implementation: "formula" runs the equations as written; "fused" PyTorch's kernel, the same to rounding.

    Raises:
        ValueError: if a number is out of its range or the implementation is unknown.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        implementation: str = "fused",
    ) -> None:
        if implementation not in UPDATES:
            raise ValueError(f"implementation={implementation!r} is unknown; choose one of {', '.join(UPDATES)}")
        if lr < 0 or eps < 0 or weight_decay < 0 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                f"got lr={lr}, betas={betas}, eps={eps}, weight_decay={weight_decay}; expected betas in [0, 1) and the "
                "others at least 0"
            )
        self.update = UPDATES[implementation]
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            self.update(group, parameters, [self.state_of(p) for p in parameters])
        return loss

    def state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        """The step count and the two moments of one parameter; made at the first call."""
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["m"] = torch.zeros_like(parameter)
            state["v"] = torch.zeros_like(parameter)
        return state


def formula_update(group: dict[str, Any], parameters: list[Tensor], states: list[dict[str, Tensor]]) -> None:
    """The equations, one parameter after another."""
    (beta_1, beta_2), lr = group["betas"], group["lr"]
    for theta, state in zip(parameters, states, strict=True):
        assert theta.grad is not None
        g, m, v = theta.grad, state["m"], state["v"]
        state["step"] += 1
        t = state["step"].item()
        m.copy_(beta_1 * m + (1 - beta_1) * g)
        v.copy_(beta_2 * v + (1 - beta_2) * g**2)
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        theta.sub_(lr * (m_hat / (v_hat.sqrt() + group["eps"]) + group["weight_decay"] * theta))


def fused_update(group: dict[str, Any], parameters: list[Tensor], states: list[dict[str, Tensor]]) -> None:
    """The same equations for all parameters at once, in PyTorch's kernel."""
    if not parameters:
        return
    for theta, state in zip(parameters, states, strict=True):
        state["step"] = state["step"].to(theta.device)
    torch_adamw(
        parameters,
        [p.grad for p in parameters if p.grad is not None],
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
    )


UPDATES: dict[str, Callable[[dict[str, Any], list[Tensor], list[dict[str, Tensor]]], None]] = {
    "formula": formula_update,
    "fused": fused_update,
}


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups: matrices and embeddings decay; biases and the gains of norms do not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]


@equation(
    "clip-by-norm",
    r"""\begin{aligned}
    N &= \sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2} \\
    g'_k &= g_k \min\left(1, \frac{c}{N + 10^{-6}}\right)
    \end{aligned}""",
    symbols={
        "g": "(K, M) gradients, a row for each of K parameters",
        "c": "() largest norm allowed",
        "N": "() norm of all gradients together",
        "g'": "(K, M) clipped gradients",
    },
    source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, Algorithm 1",
)
@torch.no_grad()
def clip_by_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients so that their common norm is at most ``max_norm``, in place.

    Args:
        parameters: whose ``.grad`` is clipped; those without one are passed over.
        max_norm: c, unit of a gradient.

    Returns:
        ``()``: the norm before clipping.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    for gradient in gradients:
        gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1))
    return norm


def fused_clip_by_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """:func:`clip_by_norm` through PyTorch's kernels, which leave gradients within the bound untouched."""
    parameters = list(parameters)
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    of_all = whole(norm)  # of sharded gradients each process has only its part
    if not of_all + 1e-6 <= max_norm:  # also where the norm is not a number
        nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return of_all
