r"""The rules of sampling, each with its equation: temperature, top-k, top-p, min-p.

Temperature turns logits into probabilities. Top-k keeps the k most probable tokens, top-p the smallest set of most
probable tokens whose mass reaches $\rho$, min-p the tokens that are at least $\mu$ times as probable as the most
probable one. These three take probabilities and return probabilities; a
:class:`~minigpt.generation.sampler.Sampler` applies them in the order written here. What changes the logits before is
in :mod:`minigpt.generation.logits`. Equal
probabilities rank by token id, the lower first, as argmax does.

Dimensions: V vocabulary; leading axes are arbitrary.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.equations import equation
from minigpt.generation.logits import at_least_float32
from minigpt.generation.ranges import check_min_p, check_temperature, check_top_k, check_top_p
from minigpt.model import softmax

RANK = r"r_i = \sum_{j=1}^{V} \mathbb{1}[p_j > p_i] + \sum_{j=1}^{i} \mathbb{1}[p_j = p_i]"
FILTER = {
    "p": "(V) probabilities",
    "r": "(V) rank, 1 = most probable; equal ones by token id",
    "p'": "(V) probabilities after the filter",
}


@equation(
    "temperature",
    r"p_i = \frac{\exp(z_i / \tau)}{\sum_{k=1}^{V} \exp(z_k / \tau)}",
    symbols={"z": "(V) logits", r"\tau": "() temperature, above 0", "p": "(V) probabilities"},
    source="Hinton, Vinyals & Dean 2015, arXiv:1503.02531, Eq. 1",
)
def temperature_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    r"""Turn logits into probabilities, sharper or flatter.

    Args:
        logits: ``(..., V)`` floating point; an entry may be ``-inf`` (probability 0).
        temperature: $\tau \ge 0$. Below 1 sharpens, above 1 flattens. 0 means the limit $\tau \to 0$, greedy choice:
            all the mass on the largest logit, on the lowest id among equals.

    Returns:
        ``(..., V)`` in the dtype of ``logits``, at least float32; each row sums to 1.

    Raises:
        ValueError: if the temperature is negative or not finite, or a row of logits has no finite maximum.
    """
    check_temperature(temperature)
    wide = at_least_float32(logits)
    largest, greedy = largest_logits(wide)
    if temperature == 0:
        return torch.zeros_like(wide).scatter(-1, greedy, 1.0)
    # Shift before dividing, so that z / τ cannot overflow; below the smallest normal number τ itself would round to 0.
    return softmax((wide - largest) / max(temperature, torch.finfo(wide.dtype).tiny))


def largest_logits(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The largest logit of each row, and the token that has it: the lowest id among equals.

    Args:
        logits: ``(..., V)`` floating point.

    Returns:
        ``(..., 1)`` in the dtype of ``logits``, and ``(..., 1)`` int64.

    Raises:
        ValueError: if a row has no finite maximum.
    """
    largest, tokens = logits.max(dim=-1, keepdim=True)
    # The maximum of a row is finite unless the row holds NaN or inf, or nothing but -inf: one test finds all three.
    if not largest.isfinite().all():
        if bool((largest == -math.inf).any()):
            raise ValueError(
                f"non-finite logits: all {logits.shape[-1]} of a row are -inf, so no token can follow; loosen what "
                "logit_bias forbids or what the text must match"
            )
        raise ValueError(
            f"non-finite logits: {int((~logits.isfinite()).sum())} of {logits.numel()} values are NaN or infinite; "
            "the model's weights have probably diverged: go back to an earlier checkpoint, or lower the learning rate"
        )
    return largest, tokens


@equation(
    "top-k",
    r"p'_i = \frac{\mathbb{1}[r_i \le k] p_i}{\sum_{j=1}^{V} \mathbb{1}[r_j \le k] p_j}",
    where=[RANK],
    symbols=FILTER | {"k": "() tokens kept"},
    source="Fan, Lewis & Dauphin 2018, arXiv:1805.04833",
)
def top_k_filter(probabilities: Tensor, top_k: int) -> Tensor:
    """Keep the ``top_k`` most probable tokens.

    Args:
        probabilities: ``(..., V)``, rows that sum to 1.
        top_k: how many tokens to keep, 1 … V.

    Returns:
        ``(..., V)``, rows that sum to 1; exactly V - ``top_k`` tokens of each row have been set to 0.

    Raises:
        ValueError: if ``top_k`` is below 1 or above V.
    """
    check_top_k(top_k, probabilities.shape[-1])
    order = probabilities.argsort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(probabilities, dtype=torch.bool).scatter(-1, order[..., :top_k], True)
    return _renormalize(probabilities, kept)


@equation(
    "top-p",
    r"p'_i = \frac{\mathbb{1}[c_i < \rho] p_i}{\sum_{j=1}^{V} \mathbb{1}[c_j < \rho] p_j}",
    where=[r"c_i = \sum_{j=1}^{V} \mathbb{1}[r_j < r_i] p_j", RANK],
    symbols=FILTER | {"c": "(V) mass of the tokens that rank before", r"\rho": "() mass to keep"},
    source="Holtzman et al. 2019, arXiv:1904.09751",
)
def top_p_filter(probabilities: Tensor, top_p: float) -> Tensor:
    r"""Keep the smallest set of most probable tokens whose mass reaches ``top_p``.

    The token that reaches or crosses $\rho$ is the last one kept, a set of mass exactly $\rho$ takes no further token,
    and the most probable token always stays. $\rho = 1$ keeps every token.

    Args:
        probabilities: ``(..., V)``, rows that sum to 1.
        top_p: the mass to keep, in (0, 1].

    Returns:
        ``(..., V)``, rows that sum to 1.

    Raises:
        ValueError: if ``top_p`` is outside (0, 1].
    """
    check_top_p(top_p)
    if top_p == 1:  # rounding may bring the running sum to 1 before the last token
        return probabilities
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    mass_before = F.pad(ordered.cumsum(dim=-1), (1, -1))
    within = mass_before < top_p
    within[..., 0] = True  # a top_p below the smallest float32 rounds to 0
    return _renormalize(probabilities, torch.zeros_like(within).scatter(-1, order, within))


@equation(
    "min-p",
    r"p'_i = \frac{\mathbb{1}[p_i \ge \mu m] p_i}{\sum_{j=1}^{V} \mathbb{1}[p_j \ge \mu m] p_j}",
    where=[r"m = \max_{j} p_j"],
    symbols={
        "p": "(V) probabilities",
        r"\mu": "() least share of the largest probability",
        "m": "() the largest probability",
        "p'": "(V) probabilities after the filter",
    },
    source="Nguyen et al. 2024, arXiv:2407.01082, section 3",
)
def min_p_filter(probabilities: Tensor, min_p: float) -> Tensor:
    r"""Keep the tokens that are at least ``min_p`` times as probable as the most probable one.

    Where the model is sure, few tokens stay; where it is not, many.

    Args:
        probabilities: ``(..., V)``, rows that sum to 1.
        min_p: the share, in [0, 1]; 0 keeps every token, 1 the most probable ones.

    Returns:
        ``(..., V)``, rows that sum to 1.

    Raises:
        ValueError: if ``min_p`` is outside [0, 1].
    """
    check_min_p(min_p)
    largest = probabilities.amax(dim=-1, keepdim=True)
    return _renormalize(probabilities, probabilities >= min_p * largest)


def _renormalize(probabilities: Tensor, kept: Tensor) -> Tensor:
    masked = probabilities * kept
    return masked / masked.sum(dim=-1, keepdim=True)
