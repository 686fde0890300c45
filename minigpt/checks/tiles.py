"""Checks of attention by tiles."""

from typing import Any

import torch

from minigpt.checks.draw import Case, Draw, check
from minigpt.model import causal_mask, log_sum_exp, masked_attention


@check
def online_softmax(function: Any, draw: Draw) -> Case:
    """One key or more."""
    z, v = draw.normal(n := draw.size(1, 6)), draw.normal(n, draw.size())
    return {"z": z, "v": v}, dict(zip(("m", "l", "o"), function(z, v), strict=True))


@check
def online_softmax_block(function: Any, draw: Draw) -> Case:
    """A first block, and later ones that raise the maximum or do not."""
    z, v, o = draw.normal(n := draw.size()), draw.normal(n, width := draw.size()), draw.normal(width)
    state = draw.normal(), 1 + draw.normal().abs(), o
    if draw.choice([True, False, False]):
        state = torch.full_like(z[0], -torch.inf), torch.zeros_like(z[0]), torch.zeros_like(o)
    given = dict(zip(("m", "l", "o", "z", "v"), (*state, z, v), strict=True))
    return given, dict(zip(("m_prime", "l_prime", "o_prime"), function(**given), strict=True))


@check
def flash_backward(function: Any, draw: Draw) -> Case:
    """Tiles of any size; with and without a gradient of the log-sum-exps. With a single key the gradient would be 0."""
    n, width = draw.size(2, 5), draw.size()
    q, k, v, d_output = (draw.normal(n, width) for _ in range(4))
    c = draw.choice([None, draw.normal(n).to(draw.wide)])
    mask, (wide_q, wide_k, wide_v) = causal_mask(n), (x.to(draw.wide) for x in (q, k, v))
    output = masked_attention(wide_q, wide_k, wide_v, mask)
    lse = log_sum_exp((wide_q @ wide_k.T / width**0.5).masked_fill(~mask, -torch.inf))
    blocks = (draw.size(), draw.size())
    gradients = function((q, k, v), (output, lse), (d_output, c), blocks=blocks)
    given = {"q": q, "k": k, "v": v, "dO": d_output, "c": torch.zeros(n) if c is None else c}
    return given, dict(zip(("dQ", "dK", "dV"), gradients, strict=True))
