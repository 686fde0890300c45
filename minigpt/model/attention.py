r"""Self-attention, from the formula as it is first written down to grouped-query heads, one step at a time.

The first two functions are the seed document's section 3.1, with no projection, no scale and no mask:

$$a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}, \qquad v'_i = \sum_{j=1}^{n} a_{ij} v_j$$

Each later function changes one thing and names the setting that gives back the step before it:

===============================  ==============================  =================================
step                             what is new                     what gives back the step before
===============================  ==============================  =================================
:func:`attention_weights`        the seed's weights              –
:func:`self_attention`           the seed's output               –
:func:`scaled_attention`         queries, keys, values; a scale  ``q = k = v``, ``scale=1``
:func:`masked_attention`         a mask: who may attend to whom  a mask that is True everywhere
:func:`causal_attention`         the causal mask, with a window  a window ≥ S is the whole past
:func:`projected_attention`      $W^Q, W^K, W^V$                 identity matrices
:func:`multi_head_attention`     H heads and $W^O$               ``n_heads=1``, $W^O$ the identity
:func:`grouped_query_attention`  G key/value heads for H heads   ``n_kv_heads = n_heads``
===============================  ==============================  =================================

Dimensions: T query positions, S key positions, D model width, H query heads, G key/value heads, E head width;
leading axes are arbitrary. The seed's n is T = S, its d is E.
Mask polarity: True = may attend.
"""

import math

import torch
from einops import einsum, rearrange, repeat
from torch import Tensor

from minigpt.model.softmax import softmax


def attention_weights(v: Tensor) -> Tensor:
    r"""How much each position attends to each other: $a_{ij} = \exp(v_i\cdot v_j) / \sum_k \exp(v_i\cdot v_k)$.

    Exactly as written: nothing is subtracted before the exponential, so large scores overflow.
    :func:`scaled_attention` with ``scale=1`` gives the same numbers for scores of any size.

    Args:
        v: ``(..., n, d)`` token vectors, floating point.

    Returns:
        ``(..., n, n)`` weights in the dtype of ``v``; row i sums to 1.

    Raises:
        ValueError: if ``v`` is not floating point with at least two axes, or if an exponential overflows.

    Source: the seed document, section 3.1, first formula.
    """
    _check_vectors(v)
    exp_scores = torch.exp(einsum(v, v, "... i d, ... j d -> ... i j"))
    _refuse_overflow(exp_scores, v)
    return exp_scores / exp_scores.sum(-1, keepdim=True)


def self_attention(v: Tensor) -> Tensor:
    r"""The new vector of each position: $v'_i = \sum_j a_{ij} v_j$.

    Args:
        v: ``(..., n, d)`` token vectors, floating point.

    Returns:
        ``(..., n, d)`` in the dtype of ``v``; each row is a weighted mean of the rows of ``v``.

    Raises:
        ValueError: as :func:`attention_weights`.

    Source: the seed document, section 3.1, second formula.
    """
    return einsum(attention_weights(v), v, "... i j, ... j d -> ... i d")


def scaled_attention(q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
    r"""Queries, keys and values apart, scores scaled: $\operatorname{softmax}(s\, q k^\top)\, v$.

    The seed's formula is ``scaled_attention(v, v, v, scale=1)``. The usual scale $1/\sqrt{E}$ keeps the variance of a
    score at 1 when queries and keys have independent entries of variance 1.

    Args:
        q: ``(..., T, E)`` queries.
        k: ``(..., S, E)`` keys.
        v: ``(..., S, E)`` values.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.

    Returns:
        ``(..., T, E)``.

    Source: Vaswani et al. 2017, arXiv:1706.03762, Eq. 1.
    """
    return masked_attention(q, k, v, None, scale)


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float | None = None) -> Tensor:
    r"""Attention over the allowed keys only: a score that is not allowed becomes $-\infty$, its weight 0.

    Args:
        q: ``(..., T, E)`` queries.
        k: ``(..., S, E)`` keys.
        v: ``(..., S, E)`` values.
        mask: ``(..., T, S)`` boolean, True = may attend; or ``None`` for all True.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.

    Returns:
        ``(..., T, E)``; a position that may attend to nothing gets zeros.

    Raises:
        ValueError: if ``mask`` is not boolean.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3.
    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = scale * einsum(q, k, "... t e, ... s e -> ... t s")
    if mask is not None:
        if mask.dtype != torch.bool:
            raise ValueError(f"mask has dtype {mask.dtype}; expected torch.bool, True = may attend (try mask.bool())")
        scores = scores.masked_fill(~mask, -math.inf)
    return einsum(softmax(scores), v, "... t s, ... s e -> ... t e")


def causal_mask(
    n_queries: int, n_keys: int | None = None, *, window: int | None = None, device: torch.device | str | None = None
) -> Tensor:
    """Who may attend to whom when nobody sees the future.

    The queries are the *last* ``n_queries`` of the ``n_keys`` positions (bottom-right alignment), so that one new
    query after a long past sees all of it.

    Args:
        n_queries: T.
        n_keys: S; ``None`` means T.
        window: a query sees itself and the ``window - 1`` positions before it; ``None`` means the whole past.
        device: where the mask is made.

    Returns:
        ``(T, S)`` boolean, True = may attend.

    Raises:
        ValueError: if ``window`` is less than 1.

    Source of the window: Child et al. 2019, arXiv:1904.10509; Beltagy et al. 2020, arXiv:2004.05150.
    """
    n_keys = n_queries if n_keys is None else n_keys
    distance = key_distance(n_queries, n_keys, device=device)
    if window is None:
        return distance >= 0
    if window < 1:
        raise ValueError(f"window={window} must be at least 1: a position always sees itself")
    return (distance >= 0) & (distance < window)


def key_distance(n_queries: int, n_keys: int, *, device: torch.device | str | None = None) -> Tensor:
    """``(T, S)`` integers: how many positions key s lies before query t; negative = in the future."""
    queries = torch.arange(n_keys - n_queries, n_keys, device=device)
    keys = torch.arange(n_keys, device=device)
    return queries[:, None] - keys[None, :]


def causal_attention(q: Tensor, k: Tensor, v: Tensor, scale: float | None = None, window: int | None = None) -> Tensor:
    r"""Attention to the past and the present: $a_{ts} = 0$ for every $s > t$, and for $s \le t - w$ with a window $w$.

    Args:
        q: ``(..., T, E)`` queries.
        k: ``(..., S, E)`` keys.
        v: ``(..., S, E)`` values.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.
        window: see :func:`causal_mask`.

    Returns:
        ``(..., T, E)``.
    """
    mask = causal_mask(q.shape[-2], k.shape[-2], window=window, device=q.device)
    return masked_attention(q, k, v, mask, scale)


def projected_attention(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, scale: float | None = None) -> Tensor:
    r"""Causal attention in learned coordinates: $q = xW^Q,\ k = xW^K,\ v = xW^V$.

    Args:
        x: ``(..., T, D)`` token vectors.
        w_q: ``(D, E)``.
        w_k: ``(D, E)``.
        w_v: ``(D, E)``.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.

    Returns:
        ``(..., T, E)``.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2 (one head).
    """
    return causal_attention(x @ w_q, x @ w_k, x @ w_v, scale)


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

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """
    return grouped_query_attention(x, w_q, w_k, w_v, w_o, (n_heads, n_heads))


def grouped_query_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, heads: tuple[int, int]
) -> Tensor:
    r"""H query heads share G key/value heads: query head h reads key/value head $\lfloor hG/H \rfloor$.

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
        ValueError: if H is no multiple of G.

    Source: Ainslie et al. 2023, arXiv:2305.13245, section 2.2; G = 1: Shazeer 2019, arXiv:1911.02150.
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
        ValueError: if H is no multiple of G.
    """
    n_kv_heads = x.shape[-3]
    if n_heads == n_kv_heads:
        return x
    if n_heads % n_kv_heads:
        raise ValueError(f"n_heads={n_heads} must be a multiple of n_kv_heads={n_kv_heads}")
    return repeat(x, "... g s e -> ... (g r) s e", r=n_heads // n_kv_heads)


def _check_vectors(v: Tensor) -> None:
    if v.dim() < 2 or not v.is_floating_point():
        raise ValueError(
            f"v has shape {tuple(v.shape)} and dtype {v.dtype}; expected floating-point token vectors (..., n, d): "
            "n positions, each d numbers"
        )


def _refuse_overflow(exp_scores: Tensor, v: Tensor) -> None:
    if torch.isinf(exp_scores).any():
        limit = math.log(torch.finfo(v.dtype).max)
        raise ValueError(
            f"a score v_i·v_j exceeds {limit:.1f}, so its exponential overflows {v.dtype}; shrink v, or use "
            "scaled_attention(v, v, v, scale=1), which is the same formula and safe for scores of any size"
        )
