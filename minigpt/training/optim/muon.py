r"""Muon: momentum whose step is made orthogonal, so that it is equally long in all directions of a matrix.

Gradients of weight matrices are dominated by a few directions; the others, small but as useful, are lifted to the same
length. It is meant for the matrices inside the blocks. Embeddings, the head and vectors go through AdamW. The matrices
of queries, keys and values lie side by side in one; each is made orthogonal by itself, so the step of each is as long
as that of any matrix, however small its gradient is beside those of the other two.

Dimensions: R rows, C columns of a matrix.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin
from minigpt.settings import check_choice
from minigpt.training.optim.adamw import AdamW
from minigpt.training.optim.base import EquationOptimizer, Settings, State, UpdateRule, gradient
from minigpt.training.optim.groups import split_qkv
from minigpt.training.optim.orthogonal import POLYNOMIALS, fast_newton_schulz, newton_schulz

MATRICES = ("matrix", "qkv")


def formula_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The equations, one matrix after another."""
    mu, polynomials = group["momentum"], POLYNOMIALS[group["orthogonal"]]
    for theta, state in zip(parameters, states, strict=True):
        g, m = gradient(theta), state["m"]
        m.copy_(mu * m + (1 - mu) * g)
        u = mu * m + (1 - mu) * g
        direction = torch.cat(
            [step_size(part) * newton_schulz(part, polynomials=polynomials) for part in _parts(group, u)]
        )
        theta.sub_(group["lr"] * (direction + group["weight_decay"] * theta))


@fast_twin(
    of=formula_update,
    error=1e-5,
    gradient="none",
    when='`Muon` with `implementation="fast"`',
    faster="each operation on all matrices of a shape at once",
)
def fast_update(group: Settings, parameters: list[Tensor], states: list[State]) -> None:
    """The same equations, each operation on all matrices of a shape at once."""
    mu, lr = group["momentum"], group["lr"]
    gradients, m = [gradient(p) for p in parameters], [state["m"] for state in states]
    torch._foreach_mul_(m, mu)
    torch._foreach_add_(m, gradients, alpha=1 - mu)
    steps = torch._foreach_mul(m, mu)
    torch._foreach_add_(steps, gradients, alpha=1 - mu)
    parts = [part for step in steps for part in _parts(group, step)]
    for same in _of_one_shape(parts):
        stacked = torch.stack([parts[i] for i in same]).to(group["precision"] or parts[0].dtype)
        directions = fast_newton_schulz(stacked, polynomials=POLYNOMIALS[group["orthogonal"]])
        directions = directions.to(parts[0].dtype) * step_size(stacked[0])
        for i, direction in zip(same, directions.unbind(), strict=True):
            parts[i] = direction
    n_parts = len(parts) // len(parameters)  # of each parameter
    wholes = [torch.cat(parts[i : i + n_parts]) for i in range(0, len(parts), n_parts)]
    torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
    torch._foreach_add_(parameters, wholes, alpha=-lr)


def step_size(theta: Tensor) -> float:
    """What makes the steps of an orthogonal matrix as long as AdamW's usual ones: 0.2 in root mean square."""
    return 0.2 * math.sqrt(max(theta.shape))


def _parts(group: Settings, matrix: Tensor) -> tuple[Tensor, ...]:
    return split_qkv(matrix, group.get("n_queries")) if group["role"] == "qkv" else (matrix,)


def _of_one_shape(parameters: list[Tensor]) -> Iterator[list[int]]:
    shapes = [tuple(p.shape) for p in parameters]
    for shape in dict.fromkeys(shapes):
        yield [i for i, other in enumerate(shapes) if other == shape]


@equation(
    "muon",
    r"""\begin{aligned}
    m_t &= \mu m_{t-1} + (1 - \mu) g_t \\
    \theta_t &= \theta_{t-1} - \eta \left(0.2 \sqrt{\max(R, C)} O(u_t) + \lambda \theta_{t-1}\right)
    \end{aligned}""",
    where=[r"u_t = \mu m_t + (1 - \mu) g_t"],
    symbols={
        r"\theta_{t-1}": "(R, C) parameters before the update",
        r"\theta_t": "(R, C) parameters after it",
        "g_t": "(R, C) gradient",
        "m_{t-1}": "(R, C) mean of gradients before",
        "m_t": "(R, C) mean of gradients",
        "u_t": "(R, C) the mean as it will be if the gradient stays, as in Nesterov's momentum",
        "O": "function newton-schulz",
        "R": "() rows",
        "C": "() columns",
        r"\eta": "() learning rate",
        r"\mu": "() how slowly the mean forgets",
        r"\lambda": "() weight decay, per unit of learning rate",
    },
    source="Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; "
    "length of the step and weight decay: Liu et al. 2025, arXiv:2502.16982, section 2.2",
)
class Muon(EquationOptimizer):
    r"""Momentum with orthogonal steps for matrices, AdamW for the rest; one learning rate serves both.

    Args:
        params: groups as :func:`~minigpt.training.optim.groups.decay_groups` makes them: those whose ``"role"`` is
            "matrix" or "qkv" go through Muon, the others through AdamW. Parameters without groups are matrices.
        lr: η, the learning rate.
        momentum: μ, how slowly the mean of gradients forgets.
        betas: β₁ and β₂ of AdamW.
        eps: ε of AdamW.
        weight_decay: λ, per unit of learning rate.
        orthogonal: the polynomials that make a step orthogonal: "jordan-5" or "polar-3", which is as near in three
            steps.
        precision: in which dtype "fast" makes the steps orthogonal; ``None`` means that of the parameters. bfloat16 is
            several times faster on a GPU and exact enough in practice.
        implementation: "formula" runs the equations as written; "fast" takes all matrices of a shape at once, the same
            to rounding.

    Raises:
        ValueError: if a number is out of its range, the implementation is unknown, or a group of matrices holds
            something else.
    """

    rule = UpdateRule(("m",), formula_update, fast_update)
    relative_rate = 8.0

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        orthogonal: str = "jordan-5",
        precision: torch.dtype | None = None,
        implementation: str = "fast",
    ) -> None:
        settings: Settings = {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        check_choice("orthogonal", orthogonal, POLYNOMIALS)
        settings |= {"orthogonal": orthogonal, "precision": precision, "role": "matrix"}
        super().__init__(params, settings, implementation)
        for group in self.param_groups:
            wrong = next((p for p in group["params"] if group["role"] in MATRICES and p.dim() != 2), None)
            if wrong is not None:
                raise ValueError(
                    f"Muon is for matrices, got a parameter of shape {tuple(wrong.shape)}; give it in a group with "
                    '"role": "vector" or "embedding", as decay_groups(model, …) does'
                )

    def rule_of(self, group: Settings) -> UpdateRule:
        """Muon's rule for matrices, AdamW's for the rest."""
        return self.rule if group["role"] in MATRICES else AdamW.rule
