r"""A mixture of experts: several MLPs, of which each token goes through a few.

A router gives each expert a score. The k experts with the highest scores are computed, and their outputs are summed
with the softmax of these k scores as weights. So a model has the parameters of all experts and the operations of k.

Nothing limits how many tokens an expert gets. The load-balancing loss has a gradient that makes the numbers more even;
training adds it to its own loss. For that, a mixture keeps the scores of its router while :func:`scores_kept` runs.

Dimensions: N tokens, D width, n experts, k of them for a token; leading axes are arbitrary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from einops import einsum
from torch import Tensor, nn

from minigpt.equations import equation, fast_twin
from minigpt.model.inspection import is_transformed
from minigpt.model.probabilities import softmax

SWITCH = "Fedus, Zoph & Shazeer 2021, arXiv:2101.03961"
MIXTRAL = "Jiang et al. 2024, arXiv:2401.04088, section 2.1"


@equation(
    "top-k-gate",
    r"g_j = \frac{m_j \exp(s_j)}{\sum_{i=1}^{n} m_i \exp(s_i)}",
    where=[r"m_j = \mathbb{1}[r_j < k]", r"r_j = \sum_{i=1}^{n} \mathbb{1}[s_i > s_j]"],
    symbols={
        "s": "(n) scores of the experts, no two the same",
        "k": "() experts that a token goes through",
        "m": "(n) 1 for the k highest scores",
        "r": "(n) how many scores are higher",
        "g": "(n) weights, of which k are not 0 and which sum to 1",
    },
    source=MIXTRAL,
)
def top_k_gate(scores: Tensor, k: int) -> Tensor:
    """The weight of each expert: the softmax over the k highest scores, and 0 for the others.

    Args:
        scores: ``(..., n)``; of equal scores, one is chosen.
        k: from 1 to n.

    Returns:
        ``(..., n)`` in the dtype of ``scores``; the softmax is taken in float32 at least.
    """
    chosen = scores.topk(k, dim=-1)
    weights = softmax(_at_least_float32(chosen.values)).to(scores.dtype)
    return torch.zeros_like(scores).scatter(-1, chosen.indices, weights)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@equation(
    "mixture-of-experts",
    r"y_d = \sum_{j=1}^{n} g_j o_{jd}",
    symbols={
        "g": "(n) weights of the experts",
        "o": "(n, D) what each expert makes of the token",
        "y": "(D) output",
    },
    source=MIXTRAL,
)
def mixture(weights: Tensor, outputs: Tensor) -> Tensor:
    """The weighted sum of what the experts return.

    Args:
        weights: ``(..., n)``.
        outputs: ``(..., n, D)``.

    Returns:
        ``(..., D)``.
    """
    return einsum(weights, outputs, "... n, ... n d -> ... d")


@equation(
    "expert-shares",
    r"f_j = \frac{1}{N} \sum_{t=1}^{N} \mathbb{1}[r_{tj} < k]",
    where=[r"r_{tj} = \sum_{i=1}^{n} \mathbb{1}[s_{ti} > s_{tj}]"],
    symbols={
        "s": "(N, n) scores of the experts, for each token",
        "k": "() experts that a token goes through",
        "N": "() tokens",
        "r": "(N, n) how many scores of the token are higher",
        "f": "(n) share of the tokens that go through each expert",
    },
    source=f"{SWITCH}, Eq. 5, for k experts a token",
)
def expert_shares(scores: Tensor, k: int) -> Tensor:
    """The share of the tokens that go through each expert.

    Args:
        scores: ``(..., n)`` of the router.
        k: experts that a token goes through.

    Returns:
        ``(n)`` at least float32, with the sum k; k / n each where all experts get as many tokens.
    """
    rows = _at_least_float32(scores.detach().flatten(0, -2))
    return torch.zeros_like(rows).scatter(-1, rows.topk(k, dim=-1).indices, 1).mean(0)


@equation(
    "load-balancing-loss",
    r"B = n \sum_{j=1}^{n} f_j P_j",
    where=[
        r"f_j = \frac{1}{N} \sum_{t=1}^{N} \mathbb{1}[r_{tj} < k]",
        r"P_j = \frac{1}{N} \sum_{t=1}^{N} \frac{\exp(s_{tj})}{\sum_{i=1}^{n} \exp(s_{ti})}",
        r"r_{tj} = \sum_{i=1}^{n} \mathbb{1}[s_{ti} > s_{tj}]",
    ],
    symbols={
        "s": "(N, n) scores of the experts, for each token",
        "k": "() experts that a token goes through",
        "N": "() tokens",
        "n": "() experts",
        "r": "(N, n) how many scores of the token are higher",
        "f": "(n) share of the tokens that go through each expert",
        "P": "(n) mean probability of each expert",
        "B": "() loss, k where all experts get as many tokens",
    },
    source=f"{SWITCH}, Eqs. 4-6, for k experts a token",
)
def load_balancing_loss(scores: Tensor, k: int) -> Tensor:
    """How unevenly tokens go through experts; its gradient lowers the probability of experts that get many.

    Args:
        scores: ``(..., n)`` of the router.
        k: experts that a token goes through.

    Returns:
        ``()`` at least float32; k where all experts get as many tokens.
    """
    n = scores.shape[-1]
    probabilities = softmax(_at_least_float32(scores.flatten(0, -2)))
    return n * (expert_shares(scores, k) * probabilities.mean(0)).sum()


def through_all(x: Tensor, weights: Tensor, experts: list[Callable[[Tensor], Tensor]]) -> Tensor:
    """Every token through every expert, and the mixture of all outputs: the formula.

    Args:
        x: ``(N, D)`` tokens.
        weights: ``(N, n)``, as :func:`top_k_gate` returns them.
        experts: n networks, ``(N, D)`` → ``(N, D)``.

    Returns:
        ``(N, D)``.
    """
    return mixture(weights, torch.stack([expert(x) for expert in experts], dim=-2))


@fast_twin(
    of=through_all,
    error=1e-6,
    gradient="autograd",
    when="`MixtureOfExperts`",
    faster="each expert computes its own tokens alone, k of n of the products",
)
def through_chosen(x: Tensor, weights: Tensor, experts: list[Callable[[Tensor], Tensor]]) -> Tensor:
    """:func:`through_all`, where each expert gets the tokens whose weight is not 0, all at once."""
    y = torch.zeros_like(x)
    for j, expert in enumerate(experts):
        (tokens,) = weights[:, j].nonzero(as_tuple=True)
        y = y.index_add(0, tokens, (weights[tokens, j, None] * expert(x[tokens])).to(y.dtype))
    return y


class MixtureOfExperts(nn.Module):
    """A router and the networks among which it chooses: ``(..., D)`` → ``(..., D)``.

    Args:
        d_model: D.
        experts: n networks of the same kind.
        n_active: k.
    """

    parameter_roles: ClassVar = {"router": "matrix"}
    scores: Tensor | None

    def __init__(self, d_model: int, experts: list[nn.Module], n_active: int) -> None:
        super().__init__()
        self.router = nn.Linear(d_model, len(experts), bias=False)
        self.experts = nn.ModuleList(experts)
        self.n_active = n_active
        self.keeps_scores, self.scores = False, None

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        scores = self.router(x)
        if self.keeps_scores:
            self.scores = scores
        weights = top_k_gate(scores, self.n_active).to(x.dtype).flatten(0, -2)
        # which tokens an expert gets is known only when it runs: what is traced takes the formula
        traced = is_transformed() or torch.compiler.is_compiling() or torch.compiler.is_exporting()
        route = through_all if traced else through_chosen
        return route(x.flatten(0, -2), weights, list(self.experts)).view_as(x)


@contextmanager
def scores_kept(model: nn.Module) -> Iterator[list[MixtureOfExperts]]:
    """Let each mixture of a model keep the scores of its last forward pass, as ``scores``, while the block runs.

    A hook on the router would not do: ``torch.compile`` does not ask again which hooks a module has.

    Args:
        model: what computes.

    Yields:
        The mixtures of the model, in the order of its layers; none in a model without experts.
    """
    mixtures = [module for module in model.modules() if isinstance(module, MixtureOfExperts)]
    try:
        for module in mixtures:
            module.keeps_scores = True
        yield mixtures
    finally:
        for module in mixtures:  # what is kept belongs to a graph, which can't be copied and takes memory
            module.keeps_scores, module.scores = False, None


def balance_of(mixtures: list[MixtureOfExperts]) -> Tensor:
    """The load-balancing loss of the scores that some mixtures have kept, summed over them.

    Args:
        mixtures: as :func:`scores_kept` gives them, after a forward pass.

    Returns:
        ``()`` at least float32.
    """
    kept = [(each.scores, each.n_active) for each in mixtures]
    return torch.stack([load_balancing_loss(scores, k) for scores, k in kept if scores is not None]).sum()
