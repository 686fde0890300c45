r"""The forward pass of fused attention: exact softmax attention that never stores a T × S matrix.

For one query and its scores $z_j = \mathrm{scale}\, q \cdot k_j$, seen a tile at a time, two numbers and a vector are
enough: the largest score so far $m$, the sum of exponentials $l$ and the running output $o$, both relative to $m$:

$$m' = \max(m, \max_j z_j) \qquad l' = e^{m - m'} l + \sum_j e^{z_j - m'} \qquad
o' = e^{m - m'} o + \sum_j e^{z_j - m'} v_j$$

After the last tile the output is $o / l$ and the log-sum-exp $m + \log l$, all that the backward pass needs to find
each weight again. Powers are taken of 2, as the hardware does: $e^z = 2^{z \log_2 e}$, with the factor in the scale.

Dimensions: see ``flash_tiles``.
Source: Dao 2023 (FlashAttention-2), arXiv:2307.08691; the running maximum: Milakov & Gimelshein 2018, arXiv:1805.02867.
"""

import triton
import triton.language as tl

from .flash_tiles import WHOLE, first_tile, key_range, load_tile, place, store_tile, visible

LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def forward_kernel(
    q_BHTE, k_BGSE, v_BGSE, o_BHTE, lse_BHT, q_strides, k_strides, v_strides, o_strides, H, T, S, window, scale_log2,
    GROUP: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_E: tl.constexpr,
):  # fmt: skip
    r"""One block: $m' = \max(m, z)$, $l' = 2^{m-m'} l + \sum 2^{z-m'}$, $o' = 2^{m-m'} o + \sum 2^{z-m'} v$.

    It begins with $m = -\infty$, $l = 0$ and $o = 0$ and ends with $o / l$ and $m + \log l$.
    """
    block, batch, head = place(tl.cdiv(T, BLOCK_T), H)
    first_query = block * BLOCK_T
    t = first_query + tl.arange(0, BLOCK_T)
    q_tile = first_tile(q_BHTE, batch, head, q_strides, BLOCK_T, BLOCK_E)
    k_tile = first_tile(k_BGSE, batch, head // GROUP, k_strides, BLOCK_S, BLOCK_E)
    v_tile = first_tile(v_BGSE, batch, head // GROUP, v_strides, BLOCK_S, BLOCK_E)
    q = load_tile(q_tile, first_query, T, q_strides, E, True)

    wide = lse_BHT.dtype.element_ty
    m = tl.full([BLOCK_T], float("-inf"), wide)
    l = tl.zeros([BLOCK_T], wide)
    o = tl.zeros([BLOCK_T, BLOCK_E], wide)
    bounds = key_range(first_query, T, S, window, BLOCK_T, BLOCK_S, CAUSAL, WINDOWED)
    for part in tl.static_range(3):  # the window's far edge, the tiles seen whole, the diagonal
        for first_key in range(bounds[part], bounds[part + 1], BLOCK_S):
            k = load_tile(k_tile, first_key, S, k_strides, E, part != WHOLE)
            z = tl.dot(q, tl.trans(k), input_precision="ieee") * scale_log2
            if part != WHOLE:
                s = first_key + tl.arange(0, BLOCK_S)
                z = tl.where(visible(t[:, None], s[None, :], T, S, window, CAUSAL, WINDOWED), z, float("-inf"))
            m_new = tl.maximum(m, tl.max(z, 1))
            # A query that has seen no key yet has m = -inf, and -inf - (-inf) is no number: subtract 0 instead.
            shift = tl.where(m_new == float("-inf"), 0, m_new) if part != WHOLE else m_new
            p = tl.exp2(z - shift[:, None])
            shrink = tl.exp2(m - shift)
            v = load_tile(v_tile, first_key, S, v_strides, E, part != WHOLE)
            o = tl.dot(p.to(v.dtype), v, o * shrink[:, None], input_precision="ieee")
            l = l * shrink + tl.sum(p, 1)
            m = m_new

    o = o / tl.where(l == 0, 1, l)[:, None]  # a query that sees nothing gets 0, and its log-sum-exp is -inf
    store_tile(first_tile(o_BHTE, batch, head, o_strides, BLOCK_T, BLOCK_E), first_query, T, o_strides, E, o)
    tl.store(lse_BHT + (batch * H + head) * T + t, (m + tl.log2(l)) * LN_2, mask=t < T)
