r"""Self-attention, from its plainest formula to grouped-query heads, one step at a time.

The first two functions are the seed document's section 3.1, with no projection, no scale and no mask. Each
later function, here and in :mod:`minigpt.model.heads`, changes one thing and names the setting that gives back the step
before it:

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

Dimensions: T query positions, S key positions, H query heads, G key/value heads, E head width; leading axes are
arbitrary. The seed's n is T = S, its d is E.
Mask polarity: True = may attend.
"""

import math

import torch
from einops import einsum
from torch import Tensor

from minigpt.equations import equation
from minigpt.model.inspection import numbers_of
from minigpt.model.probabilities import softmax

SEED_WEIGHTS = r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}"
SCALED_SCORES = r"z_{ts} = \frac{q_t \cdot k_s}{\sqrt{E}}"
CAUSAL_WEIGHTS = r"a_{ts} = \frac{\exp(z_{ts})}{\sum_{r=1}^{t} \exp(z_{tr})}"


@equation(
    "attention-weights",
    SEED_WEIGHTS,
    symbols={"v": "(n, d) token vectors", "a": "(n, n) attention weights; each row sums to 1"},
    source="the seed document, section 3.1, first formula",
)
def attention_weights(v: Tensor) -> Tensor:
    """How much each position attends to each other.

    Exactly as written: nothing is subtracted before the exponential, so large scores overflow.
    :func:`scaled_attention` with ``scale=1`` gives the same numbers for scores of any size.

    Args:
        v: ``(..., n, d)`` token vectors, floating point.

    Returns:
        ``(..., n, n)`` weights in the dtype of ``v``; row i sums to 1.

    Raises:
        ValueError: if ``v`` is not floating point with at least two axes, or if an exponential overflows.
    """
    _check_vectors(v)
    exp_scores = torch.exp(einsum(v, v, "... i d, ... j d -> ... i j"))
    _refuse_overflow(exp_scores, v)
    return exp_scores / exp_scores.sum(-1, keepdim=True)


@equation(
    "attention-output",
    r"v'_i = \sum_{j=1}^{n} a_{ij} v_j",
    where=[SEED_WEIGHTS],
    symbols={"v": "(n, d) token vectors", "a": "(n, n) attention weights", "v'": "(n, d) new token vectors"},
    source="the seed document, section 3.1, second formula",
)
def self_attention(v: Tensor) -> Tensor:
    """The new vector of each position.

    Args:
        v: ``(..., n, d)`` token vectors, floating point.

    Returns:
        ``(..., n, d)`` in the dtype of ``v``; each row is a weighted mean of the rows of ``v``.

    Raises:
        ValueError: as :func:`attention_weights`.
    """
    return einsum(attention_weights(v), v, "... i j, ... j d -> ... i d")


@equation(
    "scaled-attention",
    r"o_t = \sum_{s=1}^{S} a_{ts} v_s",
    where=[r"a_{ts} = \frac{\exp(z_{ts})}{\sum_{r=1}^{S} \exp(z_{tr})}", SCALED_SCORES],
    symbols={"q": "(T, E) queries", "k": "(S, E) keys", "v": "(S, E) values", "o": "(T, E) outputs"},
    source="Vaswani et al. 2017, arXiv:1706.03762, Eq. 1",
)
def scaled_attention(q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
    r"""Queries, keys and values apart, scores scaled.

    The seed's formula is ``scaled_attention(v, v, v, scale=1)``. The usual scale $1/\sqrt{E}$ keeps the variance of a
    score at 1 when queries and keys have independent entries of variance 1.

    Args:
        q: ``(..., T, E)`` queries.
        k: ``(..., S, E)`` keys.
        v: ``(..., S, E)`` values.
        scale: factor on every score; ``None`` means $1/\sqrt{E}$.

    Returns:
        ``(..., T, E)``.
    """
    return masked_attention(q, k, v, None, scale)


@equation(
    "masked-attention",
    r"o_t = \sum_{s=1}^{S} a_{ts} v_s",
    where=[r"a_{ts} = \frac{m_{ts} \exp(z_{ts})}{\sum_{r=1}^{S} m_{tr} \exp(z_{tr})}", SCALED_SCORES],
    symbols={
        "q": "(T, E) queries",
        "k": "(S, E) keys",
        "v": "(S, E) values",
        "m": "(T, S) mask: 1 = may attend, 0 = may not",
        "o": "(T, E) outputs",
    },
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3",
)
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
    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = scale * einsum(q, k, "... t e, ... s e -> ... t s")
    if mask is not None:
        if mask.dtype != torch.bool:
            raise ValueError(f"mask has dtype {mask.dtype}; expected torch.bool, True = may attend (try mask.bool())")
        scores = scores.masked_fill(~mask, -math.inf)
    return einsum(softmax(scores), v, "... t s, ... s e -> ... t e")


@equation(
    "causal-mask",
    r"m_{ts} = \mathbb{1}[0 \le t + S - T - s < w]",
    symbols={
        "T": "() queries, the last T of the S positions",
        "S": "() keys",
        "w": "() window: positions seen, the own one included; at least S for the whole past",
        "m": "(T, S) mask: 1 = may attend",
    },
    source="Child et al. 2019, arXiv:1904.10509; Beltagy et al. 2020, arXiv:2004.05150 (the window)",
)
def causal_mask(
    n_queries: int, n_keys: int | None = None, *, window: int | None = None, device: torch.device | str | None = None
) -> Tensor:
    """Which positions may attend to which when none sees the future.

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


@equation(
    "causal-attention",
    r"o_t = \sum_{s=1}^{t} a_{ts} v_s",
    where=[CAUSAL_WEIGHTS, SCALED_SCORES],
    symbols={"q": "(T, E) queries", "k": "(T, E) keys", "v": "(T, E) values", "o": "(T, E) outputs"},
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3",
)
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


def _check_vectors(v: Tensor) -> None:
    if v.dim() < 2 or not v.is_floating_point():
        raise ValueError(
            f"v has shape {tuple(v.shape)} and dtype {v.dtype}; expected floating-point token vectors (..., n, d): "
            "n positions, each d numbers"
        )


def _refuse_overflow(exp_scores: Tensor, v: Tensor) -> None:
    known = numbers_of(exp_scores)
    if known.numel() and torch.isinf(known).any():
        limit = math.log(torch.finfo(v.dtype).max)
        raise ValueError(
            f"a score v_i·v_j exceeds {limit:.1f}, so its exponential overflows {v.dtype}; shrink v, or use "
            "scaled_attention(v, v, v, scale=1), which is the same formula and safe for scores of any size"
        )
