"""Mistakes with softmax.

Dimensions: V entries on the last axis; leading axes are arbitrary.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("softmax")


@_mistake(
    "overflow",
    "unstable",
    "The formula is right, but exp overflows for large entries (and vanishes for very negative ones), which leaves "
    "inf / inf or 0 / 0. Subtract the largest entry of each row first: that changes no probability.",
    "公式正确，但元素很大时 exp 上溢（很小时全部下溢为 0），结果成了 inf / inf 或 0 / 0。"
    "先减去每行的最大值，概率不会改变。",
)
def _overflow(z: Tensor) -> Tensor:
    return z.exp() / z.exp().sum(-1, keepdim=True)


@_mistake(
    "global-maximum",
    "unstable",
    "You subtracted one maximum, that of the whole array, from all rows. A row that lies far below it becomes 0 / 0; "
    "each row needs its own largest entry.",
    "所有行减去的是同一个最大值，即整个数组的最大值。远低于它的行会变成 0 / 0；每一行应减去自己的最大值。",
)
def _global_maximum(z: Tensor) -> Tensor:
    e = torch.exp(z - z.max())
    return e / e.sum(-1, keepdim=True)


@_mistake(
    "maximum-above-only",
    "wrong-operand",
    "You subtracted the maximum in the numerator but not in the sum of the denominator, so the rows do not add up to "
    "1. The shift cancels only if both parts have it.",
    "只在分子里减去了最大值，分母的求和里没有减，于是各行之和不为 1。分子与分母都减去同一个数，平移才会抵消。",
)
def _maximum_above(z: Tensor) -> Tensor:
    return torch.exp(z - z.amax(-1, keepdim=True)) / z.exp().sum(-1, keepdim=True)


@_mistake(
    "first-axis",
    "axis",
    "You normalised along the first axis, so the columns add up to 1. A distribution runs along the last axis, over "
    "the V entries of one row.",
    "沿着第一个轴做了归一化，于是各列之和为 1。概率分布沿着最后一个轴，即一行的 V 个元素。",
)
def _first_axis(z: Tensor) -> Tensor:
    return torch.softmax(z, 0)


@_mistake(
    "first-axis-overflow",
    "axis",
    "Two things: you normalised along the first axis, so the columns add up to 1 in place of the rows, and exp is "
    "taken without subtracting a maximum, so that it overflows.",
    "有两处：沿着第一个轴做了归一化，于是各列（而不是各行）之和为 1；并且取 exp 之前没有减去最大值，会上溢。",
)
def _first_axis_overflow(z: Tensor) -> Tensor:
    return z.exp() / z.exp().sum(0, keepdim=True)


@_mistake(
    "whole-array",
    "axis",
    "You divided by the sum of the whole array, so that all rows together add up to 1. Each row is a distribution of "
    "its own, with its own sum.",
    "除以了整个数组的总和，于是所有行合起来才为 1。每一行各自是一个分布，应除以自己的和。",
)
def _whole_array(z: Tensor) -> Tensor:
    e = torch.exp(z - z.max())
    return e / e.sum()


@_mistake(
    "whole-array-overflow",
    "axis",
    "Two things: you divided by the total of the whole array in place of each row's own sum, and exp is taken "
    "without subtracting a maximum, so that it overflows.",
    "有两处：除以的是整个数组的总和，而不是每行自己的和；并且取 exp 之前没有减去最大值，会上溢。",
)
def _whole_array_overflow(z: Tensor) -> Tensor:
    return z.exp() / z.exp().sum()


@_mistake(
    "no-exponential",
    "missing",
    "You divided the entries by their sum without taking exp first. The exponential makes every entry positive, so "
    "that negative ones become small probabilities too.",
    "没有先取 exp，而是直接用各元素除以它们的和。指数使每个元素变为正数，负的元素也就成了较小的概率。",
)
def _no_exponential(z: Tensor) -> Tensor:
    return z / z.sum(-1, keepdim=True)


@_mistake(
    "unnormalised",
    "missing",
    "You stopped after the exponentials (of the entries less their maximum): the largest is 1 and the rows do not add "
    "up to 1. The division by their sum is missing.",
    "只算到（减去最大值后的）指数：每行最大的元素是 1，行和不为 1。还要除以这些指数之和。",
)
def _unnormalised(z: Tensor) -> Tensor:
    return torch.exp(z - z.amax(-1, keepdim=True))


@_mistake(
    "mean-of-exponentials",
    "scale",
    "Each row adds up to V: you divided by the mean of the exponentials. The denominator is their sum.",
    "每行之和为 V：除以的是指数的平均值。分母应当是指数之和。",
)
def _mean(z: Tensor) -> Tensor:
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return e / e.mean(-1, keepdim=True)


@_mistake(
    "base-two",
    "wrong-operand",
    "You took powers of 2. The base of the exponential is Euler's number e, so differences between entries count more.",
    "取的是 2 的幂。指数的底是自然常数 e，元素之间的差距因此更加显著。",
)
def _base_two(z: Tensor) -> Tensor:
    e = torch.exp2(z - z.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


@_mistake(
    "log-softmax",
    "extra",
    "You returned log-probabilities, all of them at most 0. Softmax itself ends with the quotient, without a "
    "logarithm.",
    "返回的是对数概率，全都不大于 0。softmax 的结果就是这个商，不再取对数。",
)
def _log_softmax(z: Tensor) -> Tensor:
    return torch.log_softmax(z, -1)


@_mistake(
    "sigmoid",
    "wrong-operand",
    "You applied the sigmoid to each entry by itself, as for independent yes-or-no questions. In a softmax the "
    "entries of a row compete: each is divided by the sum over all.",
    "对每个元素单独用了 sigmoid，好像各是互不相关的是非题。softmax 中同一行的元素相互竞争：每个都要除以全行之和。",
)
def _sigmoid(z: Tensor) -> Tensor:
    return torch.sigmoid(z)


@_mistake(
    "negative-exponent",
    "sign",
    "You took exp(−z), so the smallest entry gets the largest probability. The exponent has no minus: larger entries "
    "are more probable.",
    "取的是 exp(−z)，于是最小的元素得到了最大的概率。指数上没有负号：元素越大，概率越大。",
)
def _negative(z: Tensor) -> Tensor:
    return torch.softmax(-z, -1)


SOFTMAX_MISTAKES = tuple(_mistake.found)
