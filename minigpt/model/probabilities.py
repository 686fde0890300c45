r"""Softmax and log-softmax, in the form that does not overflow.

Each function takes the largest entry $m = \max_k z_k$ off every $z_k$ first. That changes nothing in the value, since
softmax is shift-invariant, and keeps every exponent at or below 0.

Dimensions: V entries on the last axis; leading axes are arbitrary.
Departure: a row of $-\infty$ has no distribution; it gives zeros, as PyTorch's attention does, and not NaN.
"""

import torch
from torch import Tensor

from minigpt.equations import equation

SOURCE = "Goodfellow, Bengio & Courville 2016, Deep Learning, section 4.1"


@equation(
    "softmax",
    r"\mathrm{softmax}(z)_i = \frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)}",
    symbols={"z": "(V) scores"},
    source=SOURCE,
)
def softmax(z: Tensor) -> Tensor:
    """Turn scores into probabilities, safe for scores of any size.

    Args:
        z: ``(..., V)`` floating point; entries may be ``-inf`` (probability 0).

    Returns:
        ``(..., V)`` in the dtype of ``z``; each row sums to 1, or is all 0 where every entry of ``z`` is ``-inf``.
    """
    exp_z = torch.exp(z - _finite_max(z))
    # The largest entry contributes exp(0) = 1, so the clamp acts only on a row of -inf, whose sum is 0.
    return exp_z / exp_z.sum(-1, keepdim=True).clamp(min=1)


@equation(
    "log-sum-exp",
    r"\mathrm{lse}(z) = \log\left(\sum_{k=1}^{V} \exp(z_k)\right)",
    symbols={"z": "(V) scores"},
    source=SOURCE,
)
def log_sum_exp(z: Tensor) -> Tensor:
    """The logarithm of what softmax divides by, safe for scores of any size.

    Args:
        z: ``(..., V)`` floating point.

    Returns:
        ``(...)`` in nats; ``-inf`` where every entry of ``z`` is ``-inf``.
    """
    m = _finite_max(z)
    return m.squeeze(-1) + torch.exp(z - m).sum(-1).log()


@equation(
    "log-softmax",
    r"\mathrm{logsoftmax}(z)_i = z_i - \log\left(\sum_{k=1}^{V} \exp(z_k)\right)",
    symbols={"z": "(V) scores"},
    source=SOURCE,
)
def log_softmax(z: Tensor) -> Tensor:
    """Turn scores into log-probabilities.

    Args:
        z: ``(..., V)`` floating point.

    Returns:
        ``(..., V)`` in nats, all ≤ 0.
    """
    return z - log_sum_exp(z).unsqueeze(-1)


def _finite_max(z: Tensor) -> Tensor:
    """``(..., 1)``: the row maximum, or the lowest finite number for a row of ``-inf``."""
    return z.detach().amax(-1, keepdim=True).clamp(min=torch.finfo(z.dtype).min)
