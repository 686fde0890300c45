r"""One attention, several ways to compute it: the readable formula and its fast twins, held equal by tests.

==========  ================================================================================================
name        what it is
==========  ================================================================================================
formula     the equation, term by term, with the T × S weights in memory; the reference for the others
sdpa        ``torch.nn.functional.scaled_dot_product_attention``: PyTorch's own kernels, on every device
triton      our own fused kernel, ``minigpt.kernels.fused_attention``; needs a CUDA GPU and triton
products    two matrix products with the softmax between, for a causal pattern without padding
auto        "sdpa"; on a CPU in bfloat16 "products", up to 512 keys and 2^23 weights of a layer
==========  ================================================================================================

Every one of them takes queries ``(B, H, T, E)`` and keys and values ``(B, G, S, E)`` with H a multiple of G, is causal
(queries are the last T of the S positions) and returns ``(B, H, T, E)``.

Dimensions: B batch, H query heads, G key/value heads, T query positions, S key positions, E head width.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from einops import einsum, rearrange
from torch import Tensor
from torch.nn import functional as F

from minigpt.equations import equation, fast_twin
from minigpt.model.attention import causal_mask
from minigpt.model.fused import fused_kernels
from minigpt.model.heads import share_heads
from minigpt.model.inspection import is_autocast, is_transformed
from minigpt.model.pattern import Pattern, visible_keys
from minigpt.model.positions.formulas import alibi_bias
from minigpt.model.probabilities import softmax

HALF = (torch.float16, torch.bfloat16)
LARGEST_TABLE = 2**23  # of one layer, 16 MiB in bfloat16: beyond it PyTorch's attention, which keeps none, is as fast
LONGEST_ROW = 512  # keys: beyond them it is faster, as it skips what the mask hides


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
    if q.device.type == "cpu" and (q.dtype in HALF or is_autocast(q)):
        with torch.autocast("cpu", enabled=False):  # in 16 bits it is several times slower there
            return sdpa_attention(q.float(), k.float(), v.float(), pattern).to(v.dtype)
    if q.shape[2] == 1 and not torch.compiler.is_exporting():
        return _one_query(q, k, v, pattern)
    n_heads, n_queries, n_keys = q.shape[1], q.shape[2], k.shape[2]
    k, v = share_heads(k, n_heads), share_heads(v, n_heads)
    # an exported program is for any number of keys, so it does not ask how many there are
    whole_past = pattern.window is None or (not torch.compiler.is_exporting() and pattern.window >= n_keys)
    plain = pattern.slopes is None and pattern.padding is None and n_queries == n_keys
    if whole_past and plain and (pattern.scale is None or pattern.scale > 0):  # PyTorch scales its own -inf, too
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=pattern.scale, dropout_p=pattern.dropout)
        return _differentiable_once(y)
    mask = visible_keys(n_queries, n_keys, pattern, q.device)
    if pattern.slopes is not None:
        mask = alibi_bias(pattern.slopes.to(q.dtype), n_queries, n_keys).masked_fill(~mask, -math.inf)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=pattern.scale, dropout_p=pattern.dropout)
    return _differentiable_once(y)


class ProductWeights(torch.autograd.Function):
    r"""The weights of :func:`product_attention`: scores in float32, and what is kept for the gradient in 16 bits.

    A score of 50 in bfloat16 is wrong by up to 0.125, and its weight by 13%.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, bias: Tensor, factor: float) -> Tensor:
        """``(N, T, E)``, ``(N, S, E)``, ``(M, T, S)`` repeated N / M times → ``(N, T, S)`` in the dtype of q."""
        wide = bias.repeat(len(q) // len(bias), 1, 1)
        wide = torch.softmax(wide.baddbmm_(q.to(bias.dtype), k.to(bias.dtype).mT, alpha=factor), -1)
        weights = wide.to(q.dtype)
        ctx.save_for_backward(q, k, weights)
        ctx.factor = factor
        return weights

    @staticmethod
    def backward(ctx: Any, h: Tensor) -> tuple[Tensor, Tensor, None, None]:
        r"""Of q $f \sum_s g_{ts} k_s$, of k $f \sum_t g_{ts} q_t$; $g_{ts} = a_{ts}(h_{ts} - \sum_r a_{tr} h_{tr})$."""
        q, k, weights = ctx.saved_tensors
        to_scores = torch.ops.aten._softmax_backward_data(h, weights, -1, weights.dtype)
        return ctx.factor * (to_scores @ k), ctx.factor * (to_scores.mT @ q), None, None


@fast_twin(
    of=formula_attention,
    error=2e-6,
    gradient="by hand",
    when='`attention="auto"` on a CPU in bfloat16, while the table of weights is small',
    faster="the products of bfloat16, which PyTorch's own attention does not use well on a CPU",
    bfloat16=True,
)
def product_attention(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """The same by two batched products, the first of which adds the mask and the slopes; padding is left to others."""
    n_queries, n_keys, device, slopes = q.shape[2], k.shape[2], q.device.type, pattern.slopes
    learns_slopes = slopes is not None and slopes.requires_grad
    if is_transformed() or learns_slopes or q.is_meta or pattern.padding is not None or n_queries > n_keys:
        return sdpa_attention(q, k, v, pattern)
    if is_autocast(q):
        q, k, v = (x.to(torch.get_autocast_dtype(device)) for x in (q, k, v))
    k, v = (rearrange(share_heads(x, q.shape[1]), "b h s e -> (b h) s e") for x in (k, v))
    seen = causal_mask(n_queries, n_keys, window=pattern.window, device=q.device)
    slopes = (q.new_zeros(1) if slopes is None else slopes).to(torch.promote_types(q.dtype, torch.float32))
    bias = alibi_bias(slopes, n_queries, n_keys).masked_fill(~seen, -math.inf)
    factor = 1 / math.sqrt(q.shape[-1]) if pattern.scale is None else pattern.scale
    with torch.autocast(device, enabled=False):
        weights = ProductWeights.apply(rearrange(q, "b h t e -> (b h) t e"), k, bias, factor)
        y = F.dropout(weights, pattern.dropout) @ v
    return rearrange(y, "(b h) t e -> b h t e", h=q.shape[1])


def auto_attention(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """The way that was measured to be the fastest; all compute the same."""
    on_cpu = q.device.type == "cpu" and not torch.compiler.is_exporting()
    if on_cpu and is_autocast(q) and torch.get_autocast_dtype("cpu") is torch.bfloat16:
        with torch.autocast("cpu", enabled=False):
            return auto_attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), pattern).to(v.dtype)
    is_small = k.shape[2] <= LONGEST_ROW and q[..., 0].numel() * k.shape[2] <= LARGEST_TABLE
    if on_cpu and q.dtype is torch.bfloat16 and q.shape[2] > 1 and is_small:
        return product_attention(q, k, v, pattern)
    return sdpa_attention(q, k, v, pattern)


def _one_query(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """The same for one position, the step of a cache: heads that share keys become queries, and no key is copied."""
    n_kv_heads, n_keys = k.shape[1], k.shape[2]
    hides = pattern.padding is not None or (pattern.window is not None and pattern.window < n_keys)
    mask = visible_keys(1, n_keys, pattern, q.device) if hides else None
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
    "products": product_attention,
    "triton": triton_attention,
    "auto": auto_attention,
}
