r"""Causal attention in learned coordinates: one head, H heads side by side, and H query heads on G key/value heads.

The matrices are given as one would store them, the columns of all heads side by side; the equations write a matrix for
each head.

Dimensions: T positions, D model width, H query heads, G key/value heads, E head width; leading axes are arbitrary.
"""

from einops import rearrange, repeat
from torch import Tensor

from minigpt.equations import equation
from minigpt.model.attention import CAUSAL_WEIGHTS, SCALED_SCORES, causal_attention

HEAD_PROJECTIONS = [r"q_{ht} = x_t W^{Q}_h", r"k_{js} = x_s W^{K}_j", r"v_{js} = x_s W^{V}_j"]
HEADS = {
    "x": "(T, D) token vectors",
    "W^{Q}": "(H, D, E) query matrix of each head",
    "W^{K}": "(G, D, E) key matrices, G = H without sharing",
    "W^{V}": "(G, D, E) value matrices",
    "W^{O}": "(H, E, D) output matrix, cut into the rows of each head",
    "y": "(T, D) new token vectors",
}


@equation(
    "projected-attention",
    r"o_t = \sum_{s=1}^{t} a_{ts} v_s",
    where=[CAUSAL_WEIGHTS, SCALED_SCORES, r"q_t = x_t W^{Q}", r"k_s = x_s W^{K}", r"v_s = x_s W^{V}"],
    symbols={
        "x": "(T, D) token vectors",
        "W^{Q}": "(D, E) query matrix",
        "W^{K}": "(D, E) key matrix",
        "W^{V}": "(D, E) value matrix",
        "o": "(T, E) outputs",
    },
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2 (one head)",
)
def projected_attention(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, scale: float | None = None) -> Tensor:
    r"""Causal attention in learned coordinates.

    Args:
        x: ``(..., T, D)`` token vectors.
        w_q: ``(D, E)``.
        w_k: ``(D, E)``.
        w_v: ``(D, E)``.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.

    Returns:
        ``(..., T, E)``.
    """
    return causal_attention(x @ w_q, x @ w_k, x @ w_v, scale)


@equation(
    "multi-head-attention",
    r"y_t = \sum_{h=1}^{H} o_{ht} W^{O}_h",
    where=[
        r"o_{ht} = \sum_{s=1}^{t} a_{hts} v_{hs}",
        r"a_{hts} = \frac{\exp(z_{hts})}{\sum_{r=1}^{t} \exp(z_{htr})}",
        r"z_{hts} = \frac{q_{ht} \cdot k_{hs}}{\sqrt{E}}",
        *HEAD_PROJECTIONS,
    ],
    symbols=HEADS,
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2",
)
def multi_head_attention(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int) -> Tensor:
    r"""H attentions side by side, each E wide, mixed by $W^O$.

    Args:
        x: ``(..., T, D)`` token vectors.
        w_q: ``(D, H·E)``; head h owns columns $hE … (h+1)E-1$, counted from 0.
        w_k: ``(D, H·E)``.
        w_v: ``(D, H·E)``.
        w_o: ``(H·E, D)``.
        n_heads: H.

    Returns:
        ``(..., T, D)``.
    """
    return grouped_query_attention(x, w_q, w_k, w_v, w_o, (n_heads, n_heads))


@equation(
    "grouped-query-attention",
    r"y_t = \sum_{h=1}^{H} o_{ht} W^{O}_h",
    where=[
        r"o_{ht} = \sum_{s=1}^{t} a_{hts} v_{g(h),s}",
        r"a_{hts} = \frac{\exp(z_{hts})}{\sum_{r=1}^{t} \exp(z_{htr})}",
        r"z_{hts} = \frac{q_{ht} \cdot k_{g(h),s}}{\sqrt{E}}",
        r"g(h) = \left\lceil \frac{h G}{H} \right\rceil",
        *HEAD_PROJECTIONS,
    ],
    symbols=HEADS,
    source="Ainslie et al. 2023, arXiv:2305.13245, section 2.2; G = 1: Shazeer 2019, arXiv:1911.02150",
)
def grouped_query_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, heads: tuple[int, int]
) -> Tensor:
    r"""H query heads share G key/value heads; counted from 0, head h reads key/value head $\lfloor hG/H \rfloor$.

    Args:
        x: ``(..., T, D)`` token vectors.
        w_q: ``(D, H·E)``.
        w_k: ``(D, G·E)``.
        w_v: ``(D, G·E)``.
        w_o: ``(H·E, D)``.
        heads: ``(n_heads, n_kv_heads)`` = (H, G); G = H is multi-head, G = 1 is multi-query attention.

    Returns:
        ``(..., T, D)``.

    Raises:
        ValueError: if H is not a multiple of G.
    """
    n_heads, n_kv_heads = heads
    q = rearrange(x @ w_q, "... t (h e) -> ... h t e", h=n_heads)
    k = rearrange(x @ w_k, "... s (g e) -> ... g s e", g=n_kv_heads)
    v = rearrange(x @ w_v, "... s (g e) -> ... g s e", g=n_kv_heads)
    output = causal_attention(q, share_heads(k, n_heads), share_heads(v, n_heads))
    return rearrange(output, "... h t e -> ... t (h e)") @ w_o


def share_heads(x: Tensor, n_heads: int) -> Tensor:
    """Repeat each key/value head for the query heads that read it.

    Args:
        x: ``(..., G, S, E)``.
        n_heads: H, a multiple of G.

    Returns:
        ``(..., H, S, E)``; ``x`` itself where G = H.

    Raises:
        ValueError: if H is not a multiple of G.
    """
    n_kv_heads = x.shape[-3]
    if n_heads == n_kv_heads:
        return x
    if n_heads % n_kv_heads:
        raise ValueError(f"n_heads={n_heads} must be a multiple of n_kv_heads={n_kv_heads}")
    return repeat(x, "... g s e -> ... (g r) s e", r=n_heads // n_kv_heads)
