r"""The backward pass of attention, one tile at a time.

Nothing but the outputs and the log-sum-exps is kept from the forward pass. The weights of a tile are computed again,
$P_{ts} = e^{z_{ts} - L_t}$, which costs a product and saves moving T × S numbers twice.

Dimensions: T queries, S keys, E head width; one head of one sequence.
"""

import math

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.learn.tiles import tile_scores, visited, widened


@equation(
    "flash-backward",
    r"\begin{aligned} \mathrm{dQ}_t &= \frac{1}{\sqrt{E}} \sum_{s=1}^{t} \mathrm{dS}_{ts} k_s \\ "
    r"\mathrm{dK}_s &= \frac{1}{\sqrt{E}} \sum_{t=s}^{T} \mathrm{dS}_{ts} q_t \\ "
    r"\mathrm{dV}_s &= \sum_{t=s}^{T} P_{ts} \mathrm{dO}_t \end{aligned}",
    where=[
        r"\mathrm{dS}_{ts} = P_{ts} (\mathrm{dP}_{ts} - D_t)",
        r"\mathrm{dP}_{ts} = \mathrm{dO}_t \cdot v_s",
        r"D_t = \mathrm{dO}_t \cdot o_t - c_t",
        r"P_{ts} = \exp\left(\frac{q_t \cdot k_s}{\sqrt{E}} - L_t\right)",
        r"o_t = \sum_{s=1}^{t} P_{ts} v_s",
        r"L_t = \log\left(\sum_{s=1}^{t} \exp\left(\frac{q_t \cdot k_s}{\sqrt{E}}\right)\right)",
    ],
    symbols={
        "q": "(T, E) queries",
        "k": "(T, E) keys",
        "v": "(T, E) values",
        "P": "(T, T) attention weights, found again from L",
        "o": "(T, E) outputs of the forward pass",
        "L": "(T) log-sum-exps of the forward pass",
        r"\mathrm{dO}": "(T, E) gradient of the outputs",
        "c": "(T) gradient of the log-sum-exps",
        r"\mathrm{dQ}": "(T, E) gradient of the queries",
        r"\mathrm{dK}": "(T, E) gradient of the keys",
        r"\mathrm{dV}": "(T, E) gradient of the values",
    },
    source="Dao et al. 2022 (FlashAttention), arXiv:2205.14135, appendix B.2, with a causal mask and L as an output",
)
def tiled_gradients(
    inputs: tuple[Tensor, Tensor, Tensor],
    forward: tuple[Tensor, Tensor],
    backward: tuple[Tensor, Tensor | None],
    *,
    blocks: tuple[int, int] = (16, 16),
    causal: bool = True,
    window: int | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The gradients of :func:`tiled_attention`, by tiles.

    Args:
        inputs: q ``(T, E)``, k ``(S, E)`` and v ``(S, E)``: the queries, keys and values.
        forward: the output ``(T, E)`` and the log-sum-exp ``(T,)``, all that the forward pass left.
        backward: their gradients, ``(T, E)`` and ``(T,)``; ``None`` for a log-sum-exp that nobody used.
        blocks: as the rest, what the forward pass was given; the size of a tile may differ.
        causal: see :func:`tiled_attention`.
        window: see :func:`tiled_attention`.
        scale: see :func:`tiled_attention`.

    Returns:
        ``(T, E)``, ``(S, E)`` and ``(S, E)``: the gradients of q, k and v.
    """
    (q, k, v), (output, lse), (d_output, d_lse) = inputs, forward, backward
    scale = 1 / math.sqrt(q.shape[1]) if scale is None else scale
    d = (widened(d_output) * widened(output)).sum(1) - (0 if d_lse is None else d_lse)
    # A query that sees nothing has a log-sum-exp of -inf, and 0 in its place leaves its weights 0.
    lse = lse.masked_fill(lse == -math.inf, 0)
    dq, dk, dv = (torch.zeros_like(widened(x)) for x in (q, k, v))
    for queries, keys, seen in visited(len(q), len(k), blocks, causal, window):
        p = torch.exp(tile_scores(q[queries], k[keys], seen, scale) - lse[queries, None])
        dp = widened(d_output[queries]) @ widened(v[keys]).T
        ds = (p * (dp - d[queries, None])).masked_fill(~seen, 0)
        dq[queries] += scale * ds @ widened(k[keys])
        dk[keys] += scale * ds.T @ widened(q[queries])
        dv[keys] += p.T @ widened(d_output[queries])
    return dq.to(q.dtype), dk.to(k.dtype), dv.to(v.dtype)
