r"""The backward pass of fused attention: the weights are computed again from the log-sum-exp, a tile at a time.

With the weights $P_{ts} = e^{z_{ts} - \mathrm{lse}_t}$ and the gradient $\mathrm{dO}$ of the output:

$$\mathrm{dV}_s = \sum_t P_{ts} \mathrm{dO}_t \qquad \mathrm{dP}_{ts} = \mathrm{dO}_t \cdot v_s \qquad
\mathrm{dS}_{ts} = P_{ts} (\mathrm{dP}_{ts} - D_t)$$

$$\mathrm{dQ}_t = \mathrm{scale} \sum_s \mathrm{dS}_{ts} k_s \qquad
\mathrm{dK}_s = \mathrm{scale} \sum_t \mathrm{dS}_{ts} q_t \qquad
D_t = \mathrm{dO}_t \cdot o_t - \mathrm{dlse}_t$$

$D$ is what the softmax's normalisation takes back. The gradient of the log-sum-exp itself, $P_{ts}\,\mathrm{dlse}_t$,
has the same form and costs nothing there.

Each gradient has a program that alone writes it, dK and dV one for a block of keys, dQ one for a block of queries: no
atomics, the same bits every time.

Dimensions: see ``flash_tiles``.
Source: Dao et al. 2022 (FlashAttention), arXiv:2205.14135, appendix B.2; Dao 2023, arXiv:2307.08691.
"""

import triton
import triton.language as tl

from .flash_tiles import WHOLE, first_tile, key_range, load_tile, place, query_range, store_tile, visible

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def normaliser_kernel(
    o_BHTE, do_BHTE, lse_BHT, dlse_BHT, d_BHT, o_strides, do_strides, dlse_strides, H, T,
    E: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_E: tl.constexpr,
):  # fmt: skip
    r"""One block of queries: $D_t = \mathrm{dO}_t \cdot o_t - \mathrm{dlse}_t$."""
    block, batch, head = place(tl.cdiv(T, BLOCK_T), H)
    first_query = block * BLOCK_T
    t = first_query + tl.arange(0, BLOCK_T)
    wide = d_BHT.dtype.element_ty
    o_tile = first_tile(o_BHTE, batch, head, o_strides, BLOCK_T, BLOCK_E)
    do_tile = first_tile(do_BHTE, batch, head, do_strides, BLOCK_T, BLOCK_E)
    o = load_tile(o_tile, first_query, T, o_strides, E, True).to(wide)
    do = load_tile(do_tile, first_query, T, do_strides, E, True).to(wide)
    dlse_row = dlse_BHT + batch * dlse_strides[0] + head * dlse_strides[1] + t.to(tl.int64) * dlse_strides[2]
    dlse = tl.load(dlse_row, mask=t < T, other=0.0)
    row = (batch * H + head) * T + t
    lse = tl.load(lse_BHT + row, mask=t < T, other=0.0)
    # A query that sees nothing takes part in nothing, whatever gradient its log-sum-exp of -inf got.
    tl.store(d_BHT + row, tl.where(lse == float("-inf"), 0.0, tl.sum(o * do, 1) - dlse), mask=t < T)


@triton.jit
def queries_kernel(
    q_BHTE, k_BGSE, v_BGSE, do_BHTE, lse_BHT, d_BHT, dq_BHTE,
    q_strides, k_strides, v_strides, do_strides, dq_strides, H, T, S, window, scale, scale_log2,
    GROUP: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_E: tl.constexpr,
):  # fmt: skip
    r"""One block: $\mathrm{dQ} = \mathrm{scale} \sum \mathrm{dS}\, k$ with $\mathrm{dS} = P (\mathrm{dP} - D)$."""
    block, batch, head = place(tl.cdiv(T, BLOCK_T), H)
    first_query = block * BLOCK_T
    t = first_query + tl.arange(0, BLOCK_T)
    q_tile = first_tile(q_BHTE, batch, head, q_strides, BLOCK_T, BLOCK_E)
    do_tile = first_tile(do_BHTE, batch, head, do_strides, BLOCK_T, BLOCK_E)
    k_tile = first_tile(k_BGSE, batch, head // GROUP, k_strides, BLOCK_S, BLOCK_E)
    v_tile = first_tile(v_BGSE, batch, head // GROUP, v_strides, BLOCK_S, BLOCK_E)
    q = load_tile(q_tile, first_query, T, q_strides, E, True)
    do = load_tile(do_tile, first_query, T, do_strides, E, True)
    row = (batch * H + head) * T + t
    lse_log2 = tl.load(lse_BHT + row, mask=t < T, other=0.0) * LOG2_E
    d = tl.load(d_BHT + row, mask=t < T, other=0.0)

    dq = tl.zeros([BLOCK_T, BLOCK_E], lse_BHT.dtype.element_ty)
    bounds = key_range(first_query, T, S, window, BLOCK_T, BLOCK_S, CAUSAL, WINDOWED)
    for part in tl.static_range(3):  # the window's far edge, the tiles seen whole, the diagonal
        for first_key in range(bounds[part], bounds[part + 1], BLOCK_S):
            k = load_tile(k_tile, first_key, S, k_strides, E, part != WHOLE)
            v = load_tile(v_tile, first_key, S, v_strides, E, part != WHOLE)
            p = tl.exp2(tl.dot(q, tl.trans(k), input_precision="ieee") * scale_log2 - lse_log2[:, None])
            if part != WHOLE:
                s = first_key + tl.arange(0, BLOCK_S)
                p = tl.where(visible(t[:, None], s[None, :], T, S, window, CAUSAL, WINDOWED), p, 0.0)
            ds = p * (tl.dot(do, tl.trans(v), input_precision="ieee") - d[:, None])
            dq = tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")

    dq_tile = first_tile(dq_BHTE, batch, head, dq_strides, BLOCK_T, BLOCK_E)
    store_tile(dq_tile, first_query, T, dq_strides, E, dq * scale)


@triton.jit
def keys_values_kernel(
    q_BHTE, k_BGSE, v_BGSE, do_BHTE, lse_BHT, d_BHT, dk_BGSE, dv_BGSE,
    q_strides, k_strides, v_strides, do_strides, dk_strides, dv_strides, G, T, S, window, scale, scale_log2,
    GROUP: tl.constexpr, E: tl.constexpr, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_E: tl.constexpr,
):  # fmt: skip
    r"""One block: $\mathrm{dV} = \sum P^\top \mathrm{dO}$, $\mathrm{dK} = \mathrm{scale} \sum \mathrm{dS}^\top q$.

    $\mathrm{dS} = P (\mathrm{dP} - D)$ as before; the sums run over every query head that reads this key/value head.
    Tiles are held turned, keys by queries.
    """
    block, batch, group = place(tl.cdiv(S, BLOCK_S), G)
    first_key = block * BLOCK_S
    s = first_key + tl.arange(0, BLOCK_S)
    k = load_tile(first_tile(k_BGSE, batch, group, k_strides, BLOCK_S, BLOCK_E), first_key, S, k_strides, E, True)
    v = load_tile(first_tile(v_BGSE, batch, group, v_strides, BLOCK_S, BLOCK_E), first_key, S, v_strides, E, True)

    wide = lse_BHT.dtype.element_ty
    dk = tl.zeros([BLOCK_S, BLOCK_E], wide)
    dv = tl.zeros([BLOCK_S, BLOCK_E], wide)
    bounds = query_range(first_key, T, S, window, BLOCK_T, BLOCK_S, CAUSAL, WINDOWED)
    for member in range(GROUP):
        head = group * GROUP + member
        q_tile = first_tile(q_BHTE, batch, head, q_strides, BLOCK_T, BLOCK_E)
        do_tile = first_tile(do_BHTE, batch, head, do_strides, BLOCK_T, BLOCK_E)
        for part in tl.static_range(3):  # the diagonal, the tiles seen whole, the window's far edge
            for first_query in range(bounds[part], bounds[part + 1], BLOCK_T):
                t = first_query + tl.arange(0, BLOCK_T)
                row = (batch * G * GROUP + head) * T + t
                q = load_tile(q_tile, first_query, T, q_strides, E, part != WHOLE)
                lse_log2 = tl.load(lse_BHT + row, mask=t < T, other=0.0) * LOG2_E
                p = tl.exp2(tl.dot(k, tl.trans(q), input_precision="ieee") * scale_log2 - lse_log2[None, :])
                if part != WHOLE:
                    p = tl.where(visible(t[None, :], s[:, None], T, S, window, CAUSAL, WINDOWED), p, 0.0)
                do = load_tile(do_tile, first_query, T, do_strides, E, part != WHOLE)
                dv = tl.dot(p.to(do.dtype), do, dv, input_precision="ieee")
                d = tl.load(d_BHT + row, mask=t < T, other=0.0)
                ds = p * (tl.dot(v, tl.trans(do), input_precision="ieee") - d[None, :])
                dk = tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee")

    dk_tile = first_tile(dk_BGSE, batch, group, dk_strides, BLOCK_S, BLOCK_E)
    dv_tile = first_tile(dv_BGSE, batch, group, dv_strides, BLOCK_S, BLOCK_E)
    store_tile(dk_tile, first_key, S, dk_strides, E, dk * scale)
    store_tile(dv_tile, first_key, S, dv_strides, E, dv)
