"""Mistakes with the attention weights of the seed document.

Dimensions: n token vectors of width d.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("attention_weights")


@_mistake(
    "columns-sum-to-one",
    "axis",
    "Your columns add up to 1: the sum below runs over i, the tokens that look. It runs over k, the tokens that are "
    "looked at, so that each row adds up to 1.",
    "各列之和为 1：分母对 i（发出注意的词元）求了和。分母应对 k（被注意的词元）求和，使每一行之和为 1。",
)
def _columns(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, 0)


@_mistake(
    "whole-matrix",
    "axis",
    "You divided by the sum of the whole matrix, so that all n² weights together add up to 1. Every row i has a "
    "denominator of its own.",
    "除以了整个矩阵的总和，于是全部 n² 个权重加起来才为 1。每一行 i 都有自己的分母。",
)
def _whole_matrix(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T)
    return e / e.sum()


@_mistake(
    "scaled",
    "extra",
    "You divided the dot products by √d. That is the scaled attention of 2017; the formula here, as written, has no "
    "scale.",
    "点积除以了 √d，那是 2017 年的缩放点积注意力。这里的公式按原样没有缩放。",
)
def _scaled(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T / v.shape[1] ** 0.5, 1)


@_mistake(
    "scores",
    "missing",
    "You stopped at the dot products. The weights are their exponentials, divided by the sum of the row.",
    "只算到了点积。权重是点积的指数再除以该行之和。",
)
def _scores(v: Tensor) -> Tensor:
    return v @ v.T


@_mistake(
    "no-exponential",
    "missing",
    "You divided the dot products by their sum without the exponential, so weights can be negative. exp makes each of "
    "them positive first.",
    "没有取指数，直接用点积除以它们的和，于是权重可能为负。应先用 exp 使每一项变为正数。",
)
def _no_exponential(v: Tensor) -> Tensor:
    return v @ v.T / (v @ v.T).sum(1, keepdim=True)


@_mistake(
    "unnormalised",
    "missing",
    "You returned the exponentials without the denominator. Each is divided by the sum of all exponentials in its row.",
    "返回的是指数本身，没有除以分母。每一项要除以该行所有指数之和。",
)
def _unnormalised(v: Tensor) -> Tensor:
    return torch.exp(v @ v.T)


@_mistake(
    "mean-of-exponentials",
    "scale",
    "Each row adds up to n: you divided by the mean of the exponentials. The denominator is the sum over k.",
    "每一行之和为 n：除以的是指数的平均值。分母是对 k 的求和。",
)
def _mean(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, 1) * len(v)


@_mistake(
    "not-itself",
    "mask",
    "You left out each token's attention to itself: the diagonal is 0. In the formula j and k run over all n "
    "positions, i included.",
    "排除了词元对自身的注意：对角线为 0。公式中 j 与 k 取遍全部 n 个位置，也包括 i 自己。",
)
def _not_itself(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T).fill_diagonal_(0)
    return e / e.sum(1, keepdim=True)


@_mistake(
    "causal",
    "mask",
    "You hid the later tokens with a causal mask. The formula as written has no mask: every token attends to those "
    "before it and after it.",
    "用因果掩码遮住了后面的词元。按原样的公式没有掩码：每个词元既关注前面的，也关注后面的。",
)
def _causal(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T).tril()
    return e / e.sum(1, keepdim=True)


@_mistake(
    "cosine",
    "extra",
    "You scaled the vectors to length 1 first and compared their directions alone (the cosine). The dot product of "
    "the formula also grows with their lengths.",
    "先把向量缩放到长度 1，只比较了方向（余弦相似度）。公式中的点积还随向量的长度增大。",
)
def _cosine(v: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize(v, dim=1)
    return torch.softmax(unit @ unit.T, 1)


@_mistake(
    "features",
    "transposed",
    "You compared the d features with each other: a matrix of d × d. The tokens are the rows of v, and the weights "
    "are n × n.",
    "比较的是 d 个特征，得到了 d × d 的矩阵。词元是 v 的行，权重矩阵应为 n × n。",
)
def _features(v: Tensor) -> Tensor:
    return torch.softmax(v.T @ v, 1)


@_mistake(
    "softmax-twice",
    "extra",
    "You normalised twice: a softmax of weights that were a softmax already, which makes them nearly equal. The "
    "exponential is taken once.",
    "做了两次 softmax：对已经是 softmax 的权重又做了一次，权重几乎变得相等。指数只取一次。",
)
def _twice(v: Tensor) -> Tensor:
    return torch.softmax(torch.softmax(v @ v.T, 1), 1)


@_mistake(
    "distance",
    "wrong-operand",
    "You compared the tokens by the distance between their vectors. The formula compares by the dot product of v_i "
    "and v_j.",
    "用向量之间的距离来比较词元。公式用的是 v_i 与 v_j 的点积。",
)
def _distance(v: Tensor) -> Tensor:
    return torch.softmax(-(v[:, None] - v).square().sum(2), 1)


@_mistake(
    "base-two",
    "wrong-operand",
    "You took powers of 2 in place of exp. The base is Euler's number e, so a difference in the dot product counts "
    "more.",
    "取的是 2 的幂而不是 exp。底应是自然常数 e，点积的差距因此更加显著。",
)
def _base_two(v: Tensor) -> Tensor:
    e = torch.exp2(v @ v.T)
    return e / e.sum(1, keepdim=True)


ATTENTION_WEIGHTS_MISTAKES = tuple(_mistake.found)
