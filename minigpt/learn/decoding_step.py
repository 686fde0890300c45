"""One step of generation with a cache: the keys and values of the past are kept, and one row of each is added.

Dimensions: D model width, E head width, S cached positions; one head of one sequence.
"""

import math

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.model import softmax


@equation(
    "kv-cache-step",
    r"""\begin{aligned}
    k'_s &= \begin{cases} x W^{K} & \text{if } s > S \\ k_{\min(s, S)} & \text{otherwise} \end{cases} \\
    v'_s &= \begin{cases} x W^{V} & \text{if } s > S \\ v_{\min(s, S)} & \text{otherwise} \end{cases} \\
    o &= \sum_{s=1}^{S+1} a_s v'_s \end{aligned}""",
    where=[
        r"a_s = \frac{\exp(z_s)}{\sum_{r=1}^{S+1} \exp(z_r)}",
        r"z_s = \frac{q \cdot k'_s}{\sqrt{E}}",
        r"q = x W^{Q}",
    ],
    symbols={
        "x": "(D) vector of the new token",
        "W^{Q}": "(D, E) query matrix",
        "W^{K}": "(D, E) key matrix",
        "W^{V}": "(D, E) value matrix",
        "k": "(S, E) keys of the past, oldest first",
        "v": "(S, E) values of the past",
        "k'": "(S + 1, E) keys with that of the new token",
        "v'": "(S + 1, E) values with that of the new token",
        "o": "(E) output of the new token",
    },
    source="Shazeer 2019, arXiv:1911.02150, section 2.4.1",
)
def cached_step(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of one new token to the past and to itself.

    Args:
        x: ``(D,)`` the new token.
        w_q: ``(D, E)``.
        w_k: ``(D, E)``.
        w_v: ``(D, E)``.
        k_cache: ``(S, E)``, oldest first; S may be 0.
        v_cache: ``(S, E)``.

    Returns:
        The output ``(E,)``, and the caches with one row more, ``(S+1, E)`` each.
    """
    keys, values = torch.cat((k_cache, (x @ w_k)[None])), torch.cat((v_cache, (x @ w_v)[None]))
    weights = softmax(keys @ (x @ w_q) / math.sqrt(keys.shape[1]))
    return weights @ values, keys, values
