"""Mistakes with the self-attention of the seed document.

Dimensions: n token vectors of width d.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("self_attention")


@_mistake(
    "columns-sum-to-one",
    "axis",
    "You mixed with weights whose columns add up to 1, normalised over i (or with the transposed weights, which here "
    "is the same). Row i mixes by its own weights, which add up to 1 over j.",
    "混合时所用权重的各列之和为 1，即对 i 做了归一化（或用了权重的转置，这里两者相同）。"
    "第 i 行应使用对 j 求和为 1 的那组权重。",
)
def _columns(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, 0) @ v


@_mistake(
    "own-vector",
    "wrong-operand",
    "You summed the weights times v_i, the token's own vector, and since the weights add up to 1 the input came back. "
    "What is mixed are the vectors v_j of the tokens that are looked at.",
    "权重乘的是词元自己的向量 v_i，而权重之和为 1，所以得到的还是输入本身。应当混合的是被关注的词元的向量 v_j。",
)
def _own_vector(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, 1).sum(1, keepdim=True) * v


@_mistake(
    "weights",
    "missing",
    "You returned the weights a, an n × n matrix. The second formula uses them: each new vector is the sum of the "
    "weights times the vectors.",
    "返回的是 n × n 的权重矩阵 a。第二个公式还要用到它：每个新向量是权重乘各向量之和。",
)
def _weights(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, 1)


@_mistake(
    "scaled",
    "extra",
    "You divided the dot products by √d before the exponential. That scale came in 2017; the weights here, as written, "
    "are without it.",
    "取指数之前把点积除以了 √d。这种缩放是 2017 年提出的，这里的权重按原样没有缩放。",
)
def _scaled(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T / v.shape[1] ** 0.5, 1) @ v


@_mistake(
    "residual",
    "extra",
    "You added v to the result, a residual connection. The formula returns the mixture alone.",
    "在结果上又加了 v，这是残差连接。公式只返回加权和本身。",
)
def _residual(v: Tensor) -> Tensor:
    return v + torch.softmax(v @ v.T, 1) @ v


@_mistake(
    "unnormalised",
    "missing",
    "You mixed with bare exponentials: the weights are not divided by the sum of their row, so the result grows large.",
    "混合时直接用了指数：权重没有除以该行之和，结果因此偏大。",
)
def _unnormalised(v: Tensor) -> Tensor:
    return torch.exp(v @ v.T) @ v


@_mistake(
    "no-softmax",
    "missing",
    "You mixed with the dot products themselves, without any exponential or denominator. They become weights only "
    "through the first formula.",
    "混合时用的是点积本身，没有指数，也没有分母。点积要先经过第一个公式才成为权重。",
)
def _no_softmax(v: Tensor) -> Tensor:
    return v @ v.T @ v


@_mistake(
    "average",
    "missing",
    "Every token got the plain average of all vectors. The weights a_ij differ: a token attends more to vectors that "
    "resemble its own.",
    "每个词元得到的都是所有向量的简单平均。权重 a_ij 各不相同：词元更关注与自己相似的向量。",
)
def _average(v: Tensor) -> Tensor:
    return v.mean(0, keepdim=True).expand_as(v).clone()


@_mistake(
    "causal",
    "mask",
    "You hid the later tokens with a causal mask. In this formula the sum runs over all positions j, before and after "
    "i.",
    "用因果掩码遮住了后面的词元。这个公式对所有位置 j 求和，i 之前和之后的都包括。",
)
def _causal(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T).tril()
    return e / e.sum(1, keepdim=True) @ v


@_mistake(
    "not-itself",
    "mask",
    "You left each token itself out of its mixture. The sum runs over all j, j = i included.",
    "每个词元的加权和中排除了它自己。求和取遍所有 j，包括 j = i。",
)
def _not_itself(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T).fill_diagonal_(0)
    return e / e.sum(1, keepdim=True) @ v


@_mistake(
    "hardest",
    "wrong-operand",
    "Each token took the one vector with the largest dot product. Attention is soft: all vectors are mixed, each by "
    "its weight.",
    "每个词元只取了点积最大的那一个向量。注意力是“软”的：所有向量都按各自的权重参与混合。",
)
def _hardest(v: Tensor) -> Tensor:
    return v[(v @ v.T).argmax(1)]


@_mistake(
    "whole-matrix",
    "axis",
    "Your weights add up to 1 over the whole matrix. Each row i has its own denominator, the sum over k.",
    "权重在整个矩阵上加起来为 1。每一行 i 都有自己的分母，即对 k 的求和。",
)
def _whole_matrix(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T)
    return e / e.sum() @ v


@_mistake(
    "features",
    "transposed",
    "You let the d features attend to each other: the weights are d × d and mix the columns of v. The tokens are its "
    "rows, and the rows are what is mixed.",
    "让 d 个特征互相关注：权重是 d × d 的，混合的是 v 的列。词元是 v 的行，应当混合的是行。",
)
def _features(v: Tensor) -> Tensor:
    return v @ torch.softmax(v.T @ v, 1).T


@_mistake(
    "divided-by-n",
    "scale",
    "You took the mean over j, so the result is n times too small. The weights already add up to 1; they are summed "
    "with the vectors and nothing is divided.",
    "对 j 取了平均，结果小了 n 倍。权重之和已经为 1，只需加权求和，不再相除。",
)
def _divided(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, 1) @ v / len(v)


SELF_ATTENTION_MISTAKES = tuple(_mistake.found)
