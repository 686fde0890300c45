"""Mistakes with layer normalization.

Dimensions: D width; leading axes are arbitrary.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("layer_norm")


def _variance(centred: Tensor) -> Tensor:
    return centred.square().mean(-1, keepdim=True)


def _normalised(
    x: Tensor,
    gain: Tensor,
    bias: Tensor,
    eps: float,
    *,
    variance: Callable[[Tensor], Tensor] = _variance,
    divisor: Callable[[Tensor, float], Tensor] = lambda variance, eps: torch.sqrt(variance + eps),
) -> Tensor:
    """The right norm, unless its variance or its divisor is changed."""
    centred = x - x.mean(-1, keepdim=True)
    return gain * centred / divisor(variance(centred), eps) + bias


_mistake(
    "variance-by-d-minus-one",
    "scale",
    "You divided the squared deviations by D - 1, as for a sample from a population. LayerNorm uses the variance of "
    "the D numbers themselves, divided by D.",
    "方差除以了 D - 1（样本方差）。层归一化用的是这 D 个数本身的方差，除以 D。",
)(partial(_normalised, variance=lambda centred: centred.square().sum(-1, keepdim=True) / (centred.shape[-1] - 1)))

_mistake(
    "eps-outside-the-root",
    "order",
    "You added epsilon to the standard deviation, after the root. It is added to the variance, under the root.",
    "ε 加在了开方之后的标准差上。应加在方差上，即根号之内。",
)(partial(_normalised, divisor=lambda variance, eps: variance.sqrt() + eps))

_mistake(
    "no-eps",
    "missing",
    "You left out epsilon. It is added to the variance and shows where the variance is small or epsilon is large.",
    "漏掉了 ε。ε 要加到方差上，在方差较小或 ε 较大时影响明显。",
)(partial(_normalised, divisor=lambda variance, eps: (variance + 1e-12).sqrt()))

_mistake(
    "no-root",
    "missing",
    "You divided by the variance. The divisor is its square root, the standard deviation, so that the result has unit "
    "variance.",
    "除以的是方差。应除以它的平方根，即标准差，结果的方差才为 1。",
)(partial(_normalised, divisor=lambda variance, eps: variance + eps))

_mistake(
    "length-instead-of-deviation",
    "missing",
    "You summed the squared deviations without dividing by D, so each vector is scaled to length 1. The variance is "
    "their mean.",
    "对偏差的平方求和后没有除以 D，于是每个向量被缩放到长度 1。方差是偏差平方的平均值。",
)(partial(_normalised, variance=lambda centred: centred.square().sum(-1, keepdim=True)))

_mistake(
    "absolute-deviation",
    "wrong-operand",
    "You measured the spread by the mean absolute deviation. The variance is the mean of the squared deviations.",
    "离散程度用的是平均绝对偏差。方差是偏差的平方的平均值。",
)(partial(_normalised, variance=lambda centred: centred.abs().mean(-1, keepdim=True).square()))


@_mistake(
    "not-centred",
    "missing",
    "You did not subtract the mean and divided by the root mean square: that is RMSNorm. LayerNorm centres the vector "
    "in the numerator and in the variance.",
    "没有减去均值，直接除以了均方根，那是 RMSNorm。层归一化的分子与方差都要先减去均值。",
)
def _not_centred(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return gain * x / torch.sqrt(_variance(x) + eps) + bias


@_mistake(
    "variance-not-centred",
    "wrong-operand",
    "You subtracted the mean in the numerator, but took the mean square of x itself for the variance. The variance is "
    "the mean square of the deviations from the mean.",
    "分子减去了均值，但方差用的是 x 本身的平方的平均。方差应是各数与均值之差的平方的平均。",
)
def _variance_not_centred(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return gain * (x - x.mean(-1, keepdim=True)) / torch.sqrt(_variance(x) + eps) + bias


@_mistake(
    "numerator-not-centred",
    "missing",
    "You computed the variance around the mean, but left the numerator x as it is. The mean is subtracted from x "
    "before the division.",
    "方差是围绕均值计算的，但分子仍是原来的 x。相除之前应从 x 中减去均值。",
)
def _numerator_not_centred(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return gain * x / torch.sqrt(_variance(x - x.mean(-1, keepdim=True)) + eps) + bias


@_mistake(
    "over-the-batch",
    "axis",
    "You took mean and variance over the vectors, separately for each coordinate: that is batch normalization. "
    "LayerNorm looks along the last axis, at one vector at a time.",
    "均值与方差是对每一维、跨各个向量计算的，那是批量归一化。层归一化沿最后一个轴，只看一个向量自身。",
)
def _over_the_batch(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    rows = x.reshape(-1, x.shape[-1])
    centred = rows - rows.mean(0)
    return (gain * centred / torch.sqrt(centred.square().mean(0) + eps) + bias).reshape(x.shape)


@_mistake(
    "over-everything",
    "axis",
    "You took one mean and one variance of the whole array. Every vector has its own, along the last axis.",
    "整个数组只算了一个均值和一个方差。每个向量应沿最后一个轴各有自己的均值与方差。",
)
def _over_everything(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return gain * (x - x.mean()) / torch.sqrt((x - x.mean()).square().mean() + eps) + bias


_mistake(
    "gain-and-bias-exchanged",
    "order",
    "You multiplied by the bias and added the gain. The gain scales, the bias shifts.",
    "乘的是偏置，加的是增益。应由增益缩放，由偏置平移。",
)(lambda x, gain, bias, eps: _normalised(x, bias, gain, eps))

_mistake(
    "bias-before-gain",
    "order",
    "You added the bias before multiplying, so the gain scales the bias as well. The gain comes first and the bias "
    "last.",
    "先加偏置再相乘，于是增益也缩放了偏置。应先乘增益，最后加偏置。",
)(lambda x, gain, bias, eps: _normalised(x, gain, gain * bias, eps))

_mistake(
    "no-gain-and-bias",
    "missing",
    "You returned the normalised vector itself. It is then multiplied by the gain, and the bias is added.",
    "返回的是归一化后的向量本身。之后还要乘以增益、加上偏置。",
)(lambda x, gain, bias, eps: _normalised(x, torch.ones_like(gain), torch.zeros_like(bias), eps))

_mistake(
    "no-bias",
    "missing",
    "You left out the last term: the bias b is added to the scaled vector.",
    "漏掉了最后一项：缩放之后还要加上偏置 b。",
)(lambda x, gain, bias, eps: _normalised(x, gain, torch.zeros_like(bias), eps))

_mistake(
    "sample-deviation-plus-eps",
    "scale",
    "You divided by the sample standard deviation, with D - 1, plus epsilon. Both parts differ from the formula: the "
    "variance is over D, and epsilon is under the root.",
    "除以的是样本标准差（用 D - 1）再加 ε。这两处都与公式不同：方差除以 D，ε 在根号之内。",
)(
    partial(
        _normalised,
        variance=lambda centred: centred.square().sum(-1, keepdim=True) / (centred.shape[-1] - 1),
        divisor=lambda variance, eps: variance.sqrt() + eps,
    )
)

_mistake(
    "gain-plus-one",
    "extra",
    "You multiplied by 1 + gain, as models do that store the gain as a difference from 1. Here the gain itself is the "
    "factor.",
    "乘的是 1 + 增益，有些模型把增益存成与 1 之差才这样做。这里增益本身就是因子。",
)(lambda x, gain, bias, eps: _normalised(x, 1 + gain, bias, eps))

LAYER_NORM_MISTAKES = tuple(_mistake.found)
