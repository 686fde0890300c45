r"""The kernels below ``fused_cross_entropy``: tiles of logits, made from a head's matrix and used up at once.

A program computes a tile of logits $z_{rv} = x_r \cdot W_v$ for BLOCK_R rows and BLOCK_V tokens in registers. Forward,
it leaves two numbers for each of its rows: the log-sum-exp of the tile and what the tile holds of the true logit. The
log-sum-exp of a row is that of its tiles':

$$l_r = \log \sum_v e^{z_{rv}} = \log \sum_{\mathrm{tiles}} e^{l_{r,\mathrm{tile}}}, \qquad
l_{r,\mathrm{tile}} = m + \log \sum_{v \in \mathrm{tile}} e^{z_{rv} - m}$$

Backward, it makes the tile again and turns it into the gradient of the logits, $g = p - y$ with $p = e^{z - l}$, of
which two plain products are wanted, $g W$ and $g^\top x$. They are taken for a few thousand tokens at a time, so that
no more of $g$ is ever in memory.

Dimensions: R rows, D width, V vocabulary or the part of it at hand; P tiles of tokens.
"""

import triton
import triton.language as tl


@triton.jit
def logits_tile(
    x_RD, weight_VD, first_row, first_token, R, V, D, wide: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    r"""``(BLOCK_R, BLOCK_V)`` logits $z = x W^\top$, summed over D a block at a time; 0 outside of the matrix."""
    r, v, d = first_row + tl.arange(0, BLOCK_R), first_token + tl.arange(0, BLOCK_V), tl.arange(0, BLOCK_D)
    x_tile = x_RD + r.to(tl.int64)[:, None] * D + d[None, :]
    weight_tile = weight_VD + v.to(tl.int64)[:, None] * D + d[None, :]
    z = tl.zeros([BLOCK_R, BLOCK_V], wide)
    for first in range(0, D, BLOCK_D):
        inside = d[None, :] < D - first
        x = tl.load(x_tile + first, mask=(r < R)[:, None] & inside, other=0.0)
        weight = tl.load(weight_tile + first, mask=(v < V)[:, None] & inside, other=0.0)
        z = tl.dot(x, tl.trans(weight), z, input_precision="ieee")
    return z


@triton.jit
def place(R, BLOCK_R: tl.constexpr, BLOCK_V: tl.constexpr):
    """``(first row, tile, first token)`` of this program: rows run fastest, for neighbours to share tokens in cache."""
    program, n_blocks = tl.program_id(0), tl.cdiv(R, BLOCK_R)
    tile = program // n_blocks
    return program % n_blocks * BLOCK_R, tile, tile * BLOCK_V


@triton.jit
def target_share(v, target, certain, everyone):
    r"""$y$, what of the truth lies on a token: ``certain`` on the target, and ``everyone`` on each."""
    return tl.where(v[None, :] == target[:, None], certain + everyone, everyone)


@triton.jit
def loss_kernel(
    x_RD, weight_VD, target_R, lse_PR, true_PR, R, V, D, certain, everyone,
    BLOCK_R: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    r"""One tile: $l = m + \log \sum_v e^{z_v - m}$ and $\sum_v y_v z_v$."""
    wide = lse_PR.dtype.element_ty
    first_row, tile, first_token = place(R, BLOCK_R, BLOCK_V)
    z = logits_tile(x_RD, weight_VD, first_row, first_token, R, V, D, wide, BLOCK_R, BLOCK_V, BLOCK_D)
    r, v = first_row + tl.arange(0, BLOCK_R), first_token + tl.arange(0, BLOCK_V)
    target = tl.load(target_R + r, mask=r < R, other=-1)
    true = tl.sum(tl.where((v < V)[None, :], target_share(v, target, certain, everyone) * z, 0.0), 1)
    z = tl.where((v < V)[None, :], z, float("-inf"))
    m = tl.max(z, 1)
    lse = m + tl.log(tl.sum(tl.exp(z - m[:, None]), 1))
    at = tile.to(tl.int64) * R + r
    tl.store(lse_PR + at, lse, mask=r < R)
    tl.store(true_PR + at, true.to(wide), mask=r < R)


@triton.jit
def gradient_kernel(
    x_RD, weight_VD, target_R, lse_R, g_RC, R, V, D, C, before, certain, everyone,
    BLOCK_R: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    r"""One tile: $g = e^{z - l} - y$, and 0 where the row has no target.

    The matrix holds the V tokens that come after the first ``before``; a row of g has room for whole tiles of them.
    """
    wide = lse_R.dtype.element_ty
    first_row, _, first_token = place(R, BLOCK_R, BLOCK_V)
    z = logits_tile(x_RD, weight_VD, first_row, first_token, R, V, D, wide, BLOCK_R, BLOCK_V, BLOCK_D)
    r, v = first_row + tl.arange(0, BLOCK_R), first_token + tl.arange(0, BLOCK_V)
    target = tl.load(target_R + r, mask=r < R, other=-1)
    lse = tl.load(lse_R + r, mask=r < R, other=0.0)
    g = tl.exp(z - lse[:, None]) - target_share(v + before, target, certain, everyone)
    g = tl.where((target >= 0)[:, None], g, 0.0)
    at = g_RC + r.to(tl.int64)[:, None] * C + v[None, :]
    tl.store(at, g.to(g_RC.dtype.element_ty), mask=(r < R)[:, None])


@triton.jit
def product_kernel(
    a_IJ, b_JK, out_IK, scale_S, I, J, K, a_strides, ADDED: tl.constexpr,
    BLOCK_I: tl.constexpr, BLOCK_J: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    r"""One tile of $s\, a b$, added to what is there or in its place; a is read by its strides, so it may be turned."""
    n_blocks = tl.cdiv(I, BLOCK_I)
    i = tl.program_id(0) % n_blocks * BLOCK_I + tl.arange(0, BLOCK_I)
    k = tl.program_id(0) // n_blocks * BLOCK_K + tl.arange(0, BLOCK_K)
    j = tl.arange(0, BLOCK_J)
    a_tile = a_IJ + i.to(tl.int64)[:, None] * a_strides[0] + j.to(tl.int64)[None, :] * a_strides[1]
    b_tile = b_JK + j.to(tl.int64)[:, None] * K + k[None, :]
    total = tl.zeros([BLOCK_I, BLOCK_K], scale_S.dtype.element_ty)
    for first in range(0, J, BLOCK_J):
        passed = tl.cast(first, tl.int64)
        a = tl.load(a_tile + passed * a_strides[1], mask=(i < I)[:, None] & (j < J - first)[None, :], other=0.0)
        b = tl.load(b_tile + passed * K, mask=(j < J - first)[:, None] & (k < K)[None, :], other=0.0)
        total = tl.dot(a, b, total, input_precision="ieee")
    total *= tl.load(scale_S)
    at, inside = out_IK + i.to(tl.int64)[:, None] * K + k[None, :], (i < I)[:, None] & (k < K)[None, :]
    if ADDED:
        total += tl.load(at, mask=inside, other=0.0)
    tl.store(at, total.to(out_IK.dtype.element_ty), mask=inside)
