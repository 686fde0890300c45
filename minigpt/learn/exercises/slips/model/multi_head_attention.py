"""Misconceptions about multi-head attention: how the heads are cut, scaled, weighted and joined."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("multi_head_attention")


def _split(x: Tensor, n_heads: int) -> Tensor:
    """``(B, T, D)`` → ``(B, H, T, E)``, each head a run of neighbouring columns."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    """``(B, H, T, E)`` → ``(B, T, D)``."""
    return x.transpose(1, 2).flatten(2)


def _attention(
    x: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    n_heads: int,
    *,
    scale: Callable[[int, int], float] = lambda d, e: e**-0.5,
    axis: int = -1,
    causal: bool = False,
    split: Callable[[Tensor, int], Tensor] = _split,
    join: Callable[[Tensor], Tensor] = _join,
) -> Tensor:
    """The right attention, unless one of its parts is changed."""
    q, k, v = (split(x @ w, n_heads) for w in (w_q, w_k, w_v))
    scores = q @ k.mT * scale(x.shape[-1], q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
    return join(torch.softmax(scores, axis) @ v) @ w_o


_mistake(
    "no-scale",
    "missing",
    "You put the scores into the softmax unscaled. The formula divides every scalar product of query and key by the "
    "square root of the head width E.",
    "点积未经缩放就送入了 softmax。公式要求把查询与键的每个点积除以头宽度 E 的平方根。",
)(partial(_attention, scale=lambda d, e: 1.0))

_mistake(
    "scaled-by-model-width",
    "wrong-operand",
    "You divided the scores by the root of the model width D. Each head compares vectors of E = D/H numbers, so the "
    "divisor is the root of E.",
    "分数除以了模型宽度 D 的平方根。每个头比较的是 E = D/H 维的向量，除数应是 E 的平方根。",
)(partial(_attention, scale=lambda d, e: d**-0.5))

_mistake(
    "scaled-without-root",
    "scale",
    "You divided the scores by the head width E itself. The divisor is its square root.",
    "分数直接除以了头宽度 E 本身，没有开平方根；除数应是 E 的平方根。",
)(partial(_attention, scale=lambda d, e: 1 / e))

_mistake(
    "alternating-columns",
    "layout",
    "You dealt the columns of the projections out to the heads in turn, every H-th column to the same head. Head h "
    "owns a contiguous run of columns, from hE to (h+1)E - 1.",
    "投影的各列被轮流分给了各个头，即每隔 H 列属于同一个头。实际上第 h 个头拥有连续的列，从 hE 到 (h+1)E - 1。",
)(partial(_attention, split=lambda x, h: x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2)))

_mistake(
    "alternating-throughout",
    "layout",
    "You dealt the columns out to the heads in turn when splitting, and interleaved the outputs the same way when "
    "merging. Splitting and merging agree with each other, but the formula uses contiguous blocks of E columns.",
    "拆分时各列被轮流分给各个头，合并时也按同样的方式交错排列。拆分与合并虽然一致，但公式使用的是连续的 E 列一块。",
)(
    partial(
        _attention,
        split=lambda x, h: x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2),
        join=lambda x: x.permute(0, 2, 3, 1).flatten(2),
    )
)

_mistake(
    "reshaped-without-transpose",
    "layout",
    "You reshaped the projections straight to (B, H, T, E), which mixes positions and heads. The columns are first "
    "split into H × E, and then the head axis is moved in front of the positions.",
    "投影结果被直接变形为 (B, H, T, E)，位置与头因此混在一起。应先把列拆成 H × E，再把头这一轴移到位置轴之前。",
)(partial(_attention, split=lambda x, h: x.reshape(len(x), h, x.shape[1], -1)))

_mistake(
    "merged-without-transpose",
    "layout",
    "You flattened the outputs of the heads from (B, H, T, E) without moving the head axis back. Position t must first "
    "collect its own E numbers from every head.",
    "各头的输出在合并前没有把头轴移回去，就从 (B, H, T, E) 直接展平了。位置 t 应先从每个头取回自己的 E 个数。",
)(partial(_attention, join=lambda x: x.reshape(len(x), x.shape[2], -1)))

_mistake(
    "no-output-projection",
    "missing",
    "You returned the concatenated heads. The formula multiplies them by the output matrix, whose rows belong to the "
    "heads, and sums.",
    "各头的输出拼接后就直接返回了，缺少输出投影。公式还要乘以输出矩阵（其各行分属各个头）再求和。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_q, w_k, w_v, torch.eye(x.shape[-1]).to(x), h))

_mistake(
    "softmax-over-queries",
    "axis",
    "You normalised the softmax over the queries, so the columns of the weights sum to 1. Each query distributes its "
    "attention over the keys.",
    "softmax 沿查询方向归一化了，于是权重的每一列之和为 1。应当是每个查询把注意力分配到各个键上。",
)(partial(_attention, axis=-2))

_mistake(
    "softmax-over-heads",
    "axis",
    "You normalised the softmax over the heads, which makes them compete with each other. Every head has a softmax of "
    "its own over the positions s.",
    "softmax 沿头的方向归一化了，使各个头相互竞争。每个头应各自在位置 s 上做 softmax。",
)(partial(_attention, axis=1))

_mistake(
    "causal",
    "mask",
    "You applied a causal mask. In this exercise there is no mask: a position also attends to the positions after it.",
    "这里加上了因果掩码。本练习没有掩码：每个位置也可以关注它后面的位置。",
)(partial(_attention, causal=True))

_mistake(
    "queries-and-keys-exchanged",
    "order",
    "You exchanged the matrices of queries and keys. Row t of the weights belongs to the query of position t, which is "
    "compared with the key of every position s.",
    "查询矩阵与键矩阵互换了，权重的第 t 行属于位置 t 的查询，应由它与每个位置 s 的键作比较。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_k, w_q, w_v, w_o, h))

_mistake(
    "keys-as-values",
    "wrong-operand",
    "You averaged the keys with the weights. The formula averages the values, which have a matrix of their own.",
    "加权平均的是键。应当对值作加权平均，值由它自己的矩阵投影得到。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_q, w_k, w_k, w_o, h))

_mistake(
    "one-head",
    "missing",
    "You did not split the projections and computed one attention of full width D. With H heads there are H separate "
    "softmaxes, each on E columns.",
    "投影没有拆分成多个头，只计算了一个宽度为 D 的注意力。有 H 个头就有 H 个独立的 softmax，各用 E 列。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_q, w_k, w_v, w_o, 1))

_mistake(
    "transposed-matrices",
    "transposed",
    "You transposed the four matrices before use, as the weight of a linear layer is stored. Here they act from the "
    "right as they are given: a row vector times the matrix.",
    "四个矩阵在使用前都被转置了（线性层的权重才那样存放）。这里的矩阵按原样从右边作用：行向量乘矩阵。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_q.T, w_k.T, w_v.T, w_o.T, h))

_mistake(
    "scaled-by-number-of-heads",
    "wrong-operand",
    "You divided the scores by the root of H, the number of heads. The root is that of E, the numbers in one head.",
    "分数除以了头的个数 H 的平方根。应取 E 的平方根，即一个头内的维数。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_q, w_k, w_v, w_o, h, scale=lambda d, e: h**-0.5))

_mistake(
    "output-matrix-transposed",
    "transposed",
    "You transposed the output matrix alone. Head h owns rows of it: the joined heads are a row vector times the "
    "matrix as given.",
    "只把输出矩阵转置了。第 h 个头拥有的是它的若干行：拼接后的各头是行向量，直接乘以给定的矩阵。",
)(lambda x, w_q, w_k, w_v, w_o, h: _attention(x, w_q, w_k, w_v, w_o.T, h))

MULTI_HEAD_ATTENTION_MISTAKES = tuple(_mistake.found)
