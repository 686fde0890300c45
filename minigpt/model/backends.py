r"""One attention, several ways to compute it: the readable formula and its fast twins, held equal by tests.

==========  ================================================================================================
name        what it is
==========  ================================================================================================
formula     the equation, term by term, with the T × S weights in memory; the reference for the others
sdpa        ``torch.nn.functional.scaled_dot_product_attention``: PyTorch's own kernels, on every device
triton      our own fused kernel, ``minigpt.kernels.fused_attention``; needs a CUDA GPU and triton
auto        "sdpa", until "triton" has been measured to be faster on a GPU
==========  ================================================================================================

Every one of them takes queries ``(B, H, T, E)`` and keys and values ``(B, G, S, E)`` with H a multiple of G, is causal
(queries are the last T of the S positions) and returns ``(B, H, T, E)``.

Dimensions: B batch, H query heads, G key/value heads, T query positions, S key positions, E head width.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import einsum, rearrange
from torch import Tensor
from torch.nn import functional as F

from minigpt.equations import equation, fast_twin
from minigpt.model.attention import causal_mask, key_distance
from minigpt.model.fused import fused_kernels
from minigpt.model.heads import share_heads
from minigpt.model.inspection import is_transformed
from minigpt.model.probabilities import softmax

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Which past positions count, and how much, said without a T × S tensor.

    Attributes:
        window: a query sees itself and the ``window - 1`` positions before it; ``None``: the whole past.
        slopes: ``(H,)`` ALiBi slopes; the score falls by slope × distance. ``None``: no such penalty.
        scale: factor on every score; ``None`` means 1/√E.
        dropout: the share of weights set to 0 (the others scaled up); 0 outside training.
        padding: ``(B,)``: how many of the first keys of each row are padding, which no query behind them sees, 0 or
            less for none; ``None``: no key is.
    """

    window: int | None = None
    slopes: Tensor | None = None
    scale: float | None = None
    dropout: float = 0.0
    padding: Tensor | None = None


@equation(
    "model-attention",
    r"o_{ht} = \sum_{t - w < s \le t} a_{hts} v_{g(h),s}",
    where=[
        r"a_{hts} = \frac{\exp(z_{hts})}{\sum_{t - w < r \le t} \exp(z_{htr})}",
        r"z_{hts} = \frac{q_{ht} \cdot k_{g(h),s}}{\sqrt{E}} - m_h (t - s)",
        r"g(h) = \left\lceil \frac{h G}{H} \right\rceil",
    ],
    symbols={
        "q": "(H, T, E) queries",
        "k": "(G, T, E) keys",
        "v": "(G, T, E) values",
        "m": "(H) slopes, 0 without ALiBi",
        "w": "() window, at least T for the whole past",
        "o": "(H, T, E) outputs",
    },
    source="Vaswani et al. 2017, arXiv:1706.03762; shared heads: Ainslie et al. 2023, arXiv:2305.13245; slopes: "
    "Press, Smith & Lewis 2022, arXiv:2108.12409",
)
def formula_attention(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """All that a pattern can say, with the weights of every pair of positions in memory."""
    weights = softmax(attention_scores(q, k, pattern))
    return einsum(F.dropout(weights, pattern.dropout), share_heads(v, q.shape[1]), "b h t s, b h s e -> b h t e")


def attention_scores(q: Tensor, k: Tensor, pattern: Pattern) -> Tensor:
    """The scores of :func:`formula_attention`: its z, and minus infinity where the pattern lets nothing attend.

    Args:
        q: ``(B, H, T, E)`` queries.
        k: ``(B, G, S, E)`` keys.
        pattern: which keys count, and how much.

    Returns:
        ``(B, H, T, S)``.
    """
    n_queries, n_keys = q.shape[2], k.shape[2]
    scale = 1 / math.sqrt(q.shape[-1]) if pattern.scale is None else pattern.scale
    scores = scale * einsum(q, share_heads(k, q.shape[1]), "b h t e, b h s e -> b h t s")
    if pattern.slopes is not None:
        scores = scores + alibi_bias(pattern.slopes.to(q.dtype), n_queries, n_keys)
    return scores.masked_fill(~visible_keys(n_queries, n_keys, pattern, q.device), -math.inf)


def visible_keys(n_queries: int, n_keys: int, pattern: Pattern, device: torch.device) -> Tensor:
    """Which keys a pattern lets each query attend to.

    Padding sees the padding before it, so that its rows are numbers like any others; nothing reads them.

    Args:
        n_queries: T, the last of the S positions.
        n_keys: S.
        pattern: of which the window and the padding are read.
        device: where the mask is made.

    Returns:
        ``(T, S)``, or ``(B, 1, T, S)`` where rows are padded; True = may attend.
    """
    mask = causal_mask(n_queries, n_keys, window=pattern.window, device=device)
    if pattern.padding is None:
        return mask
    real = torch.arange(n_keys, device=device) >= pattern.padding.to(device)[:, None]
    of_queries = real[:, n_keys - n_queries :]
    return mask & (real[:, None, None, :] | ~of_queries[:, None, :, None])


@fast_twin(
    of=formula_attention,
    error=2e-6,
    gradient="autograd",
    when='`attention="sdpa"` and `"auto"`, on every device',
    faster="PyTorch's kernels, which keep no table of weights in memory",
    bfloat16=True,
)
def sdpa_attention(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """The same by PyTorch's ``scaled_dot_product_attention``; the plain causal pattern needs no T × S tensor.

    Its kernels have a first derivative only: a backward pass with ``create_graph=True`` raises a ``ValueError``. In a
    transform of ``torch.func``, which may ask for more, attention is computed by the formula.
    """
    if is_transformed():
        return formula_attention(q, k, v, pattern)
    if q.device.type == "cpu" and (q.dtype in HALF or torch.is_autocast_enabled("cpu")):
        with torch.autocast("cpu", enabled=False):  # in 16 bits it is several times slower there
            return sdpa_attention(q.float(), k.float(), v.float(), pattern).to(v.dtype)
    if q.shape[2] == 1 and not torch.compiler.is_exporting():
        return _one_query(q, k, v, pattern)
    n_heads, n_queries, n_keys = q.shape[1], q.shape[2], k.shape[2]
    k, v = share_heads(k, n_heads), share_heads(v, n_heads)
    # an exported program is for any number of keys, so it does not ask how many there are
    whole_past = pattern.window is None or (not torch.compiler.is_exporting() and pattern.window >= n_keys)
    if whole_past and pattern.slopes is None and pattern.padding is None and n_queries == n_keys:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=pattern.scale, dropout_p=pattern.dropout)
        return _differentiable_once(y)
    mask = visible_keys(n_queries, n_keys, pattern, q.device)
    if pattern.slopes is not None:
        mask = alibi_bias(pattern.slopes.to(q.dtype), n_queries, n_keys).masked_fill(~mask, -math.inf)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=pattern.scale, dropout_p=pattern.dropout)
    return _differentiable_once(y)


def _one_query(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """The same for one position, the step of a cache: heads that share keys become queries, and no key is copied."""
    n_kv_heads, n_keys = k.shape[1], k.shape[2]
    mask = None
    if pattern.padding is not None or (pattern.window is not None and pattern.window < n_keys):
        mask = visible_keys(1, n_keys, pattern, q.device)
    if pattern.slopes is not None:
        fall = rearrange(alibi_bias(pattern.slopes.to(q.dtype), 1, n_keys), "(g r) 1 s -> g r s", g=n_kv_heads)
        mask = fall if mask is None else torch.where(mask, fall, -math.inf)
    shares = n_kv_heads != q.shape[1]
    q = rearrange(q, "b (g r) 1 e -> b g r e", g=n_kv_heads) if shares else q
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=pattern.scale, dropout_p=pattern.dropout)
    y = _differentiable_once(y)
    return rearrange(y, "b g r e -> b (g r) 1 e") if shares else y


def _differentiable_once(y: Tensor) -> Tensor:
    """The output of PyTorch's attention, which refuses a second derivative where a kernel has computed it."""
    if not torch.compiler.is_compiling() and y.grad_fn is not None:
        before = [node for node, _ in y.grad_fn.next_functions if node is not None]  # a kernel's output may be cut
        if any(node.name().startswith("ScaledDotProduct") for node in (y.grad_fn, *before)):
            y.register_hook(_refuse_graph)
    return y


def _refuse_graph(gradient: Tensor) -> None:
    if torch.is_grad_enabled():
        raise ValueError(
            "PyTorch's attention (attention='auto' or 'sdpa') has a first derivative only, and create_graph=True asks "
            "for one that can be differentiated again: use attention='formula'"
        )


@fast_twin(
    of=formula_attention,
    error=5e-6,
    gradient="by hand",
    when='`attention="triton"`, on a CUDA GPU',
    faster="one kernel that keeps no table of weights in memory",
    bfloat16=True,
)
def triton_attention(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """The fused kernel of ``minigpt.kernels``.

    Rows with padding, which only generation has, are computed by :func:`sdpa_attention`.

    Raises:
        ValueError: where the kernel can't run, or can't do what the pattern says, with what to use instead.
    """
    if pattern.padding is not None:
        return sdpa_attention(q, k, v, pattern)
    if pattern.slopes is not None or pattern.dropout:
        lacking = "ALiBi slopes" if pattern.slopes is not None else f"dropout={pattern.dropout} on its weights"
        raise ValueError(f"attention='triton' has no {lacking}; use attention='sdpa' or 'auto'")
    kernels, _ = fused_kernels("attention='triton'", "attention='sdpa', PyTorch's own attention, or 'auto'")
    output, _ = kernels.fused_attention(q, k, v, window=pattern.window, scale=pattern.scale)
    return output


#: The ways to compute attention, by the name that ``GPTConfig.attention`` has for them.
ATTENTION: dict[str, Callable[[Tensor, Tensor, Tensor, Pattern], Tensor]] = {
    "formula": formula_attention,
    "sdpa": sdpa_attention,
    "triton": triton_attention,
    "auto": sdpa_attention,
}


@equation(
    "alibi-bias",
    r"b_{hts} = -m_h (t + S - T - s)",
    symbols={
        "m": "(H) slopes",
        "T": "() queries, the last T of the S positions",
        "S": "() keys",
        "b": "(H, T, S) what is added to the scores",
    },
    source="Press, Smith & Lewis 2022, arXiv:2108.12409, section 3",
)
def alibi_bias(slopes: Tensor, n_queries: int, n_keys: int) -> Tensor:
    r"""The ALiBi penalty: a score falls with the distance of the key.

    Args:
        slopes: ``(H,)``, $m_h > 0$.
        n_queries: T; the queries are the last T of the S positions.
        n_keys: S.

    Returns:
        ``(H, T, S)`` in the dtype of ``slopes``; entries for future keys are positive and meant to be masked.
    """
    distance = key_distance(n_queries, n_keys, device=slopes.device).to(slopes.dtype)
    return -rearrange(slopes, "h -> h 1 1") * distance
