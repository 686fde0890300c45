"""Mistakes with absorbing a block of scores and values.

Dimensions: n scores of the block, d width of a value.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("online_softmax_step")
_State = tuple[Tensor, Tensor, Tensor]
_Factor = Callable[[Tensor, Tensor], Tensor]


def _decay(old: Tensor, new: Tensor) -> Tensor:
    return torch.exp(old - new)


def _kept(old: Tensor, new: Tensor) -> Tensor:
    return torch.ones(())


def _step(
    m: Tensor,
    l: Tensor,
    o: Tensor,
    z: Tensor,
    v: Tensor,
    *,
    maximum: Callable[[Tensor, Tensor], Tensor] = lambda m, z: torch.maximum(m, z.max()),
    l_factor: _Factor = _decay,
    o_factor: _Factor = _decay,
    weights: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda z, m, new: torch.exp(z - new),
) -> _State:
    """The right step, unless one of its parts is changed."""
    new = maximum(m, z)
    p = weights(z, m, new)
    return new, l * l_factor(m, new) + p.sum(), o * o_factor(m, new) + p @ v


_mistake(
    "sums-not-rescaled",
    "missing",
    "You added the block to the old sums as they were. Both l and o belong to the old maximum and are multiplied by "
    "exp(m - m') first.",
    "直接把新的一块加到了旧的和上。l 与 o 都是相对旧最大值的，应先乘以 exp(m - m')。",
)(partial(_step, l_factor=_kept, o_factor=_kept))

_mistake(
    "output-not-rescaled",
    "missing",
    "You rescaled l, but not the running output o. The output was summed under the old maximum, too, and gets the same "
    "factor.",
    "只缩放了 l，没有缩放累积输出 o。输出同样是相对旧最大值累加的，应乘以同一个因子。",
)(partial(_step, o_factor=_kept))

_mistake(
    "denominator-not-rescaled",
    "missing",
    "You rescaled the output o, but not l, the sum of the exponentials. The denominator needs the same factor.",
    "只缩放了输出 o，没有缩放指数之和 l。分母也应乘以同一个因子。",
)(partial(_step, l_factor=_kept))

_mistake(
    "factor-inverted",
    "sign",
    "You multiplied the old sums by exp(m' - m), which grows when the maximum rises. The factor is exp(m - m'), at "
    "most 1.",
    "旧的和乘以了 exp(m' - m)，最大值升高时它反而变大。因子应是 exp(m - m')，不超过 1。",
)(partial(_step, l_factor=lambda m, new: torch.exp(new - m), o_factor=lambda m, new: torch.exp(new - m)))

_mistake(
    "maximum-of-the-block",
    "wrong-operand",
    "You took the maximum of the new block alone. The maximum runs over everything seen so far: the larger of m and "
    "the largest score of the block.",
    "最大值只取了新的一块。最大值应覆盖目前见过的全部分数：取 m 与本块最大分数中较大的一个。",
)(partial(_step, maximum=lambda m, z: z.max()))

_mistake(
    "old-maximum-kept",
    "missing",
    "You kept the old maximum once there was one. A larger score in the block raises it, or the exponentials overflow.",
    "有了旧的最大值之后就不再更新。本块若有更大的分数，最大值应随之升高，否则指数会上溢。",
)(partial(_step, maximum=lambda m, z: torch.where(m.isinf(), z.max(), m)))

_mistake(
    "block-relative-to-itself",
    "wrong-operand",
    "You computed the exponentials of the block relative to its own maximum. Old sums and new exponentials share one "
    "reference, the new maximum m'.",
    "本块的指数是相对它自己的最大值计算的。旧的和与新的指数必须使用同一个基准，即新的最大值 m'。",
)(partial(_step, weights=lambda z, m, new: torch.exp(z - z.max())))

_mistake(
    "exponentials-not-shifted",
    "missing",
    "You took exp(z) of the block without subtracting m'. Every exponential is relative to the maximum.",
    "本块直接取了 exp(z)，没有减去 m'。每个指数都应相对最大值计算。",
)(partial(_step, weights=lambda z, m, new: torch.exp(z)))

_mistake(
    "smallest-score",
    "wrong-operand",
    "You tracked the smallest score in place of the largest, so the exponentials grow beyond 1. With the maximum every "
    "exponent is at most 0.",
    "记录的是最小的分数而不是最大的，于是指数会大于 1。用最大值时每个指数部分都不大于 0。",
)(partial(_step, maximum=lambda m, z: torch.where(m.isinf(), z.min(), torch.minimum(m, z.min()))))


@_mistake(
    "divided-already",
    "extra",
    "You divided the output by l' in this step. The running output stays a plain sum; the division by l happens once, "
    "after the last block.",
    "这一步就把输出除以了 l'。累积输出应保持为未归一化的和；除以 l 只在最后一块之后做一次。",
)
def _divided(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    m, l, o = _step(m, l, o, z, v)
    return m, l, o / l


@_mistake(
    "values-unweighted",
    "missing",
    "You added the values of the block without their exponentials. Each value v_j is weighted by exp(z_j - m').",
    "直接加上了本块的值，没有乘以各自的指数。每个值 v_j 应以 exp(z_j - m') 加权。",
)
def _unweighted(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    new, total, _ = _step(m, l, o, z, v)
    return new, total, o * _decay(m, new) + v.sum(0)


@_mistake(
    "softmax-within-the-block",
    "extra",
    "You weighted the values with a softmax of the block alone. Nothing is normalised yet: the weights are the bare "
    "exponentials, relative to m'.",
    "用本块内部的 softmax 对值加权。此时还不能归一化：权重就是相对 m' 的指数本身。",
)
def _block_softmax(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    new, total, _ = _step(m, l, o, z, v)
    return new, total, o * _decay(m, new) + torch.softmax(z, 0) @ v


@_mistake(
    "mean-of-the-block",
    "scale",
    "You averaged over the block, so every block counts as one score. Both sums run over the n scores without a "
    "divisor.",
    "对本块取了平均，于是每一块只相当于一个分数。两个和都是对 n 个分数直接求和，不作除法。",
)
def _mean(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    return _step(m, l, o, z, v, weights=lambda z, m, new: torch.exp(z - new) / len(z))


@_mistake(
    "past-forgotten",
    "missing",
    "You started anew: l and o hold this block alone. The rescaled sums of the earlier blocks are added.",
    "相当于重新开始，l 与 o 只包含当前这一块。还要加上之前各块缩放后的和。",
)
def _forgotten(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    return _step(m, l, o, z, v, l_factor=lambda m, new: torch.zeros(()), o_factor=lambda m, new: torch.zeros(()))


@_mistake(
    "output-kept-normalised",
    "extra",
    "You treated o as an average: multiplied by l before adding and divided by l' after it. Here o is a plain sum and "
    "is rescaled by the exponential alone.",
    "把 o 当成了平均值：相加之前乘以 l，相加之后除以 l'。这里 o 是未归一化的和，只乘以指数因子。",
)
def _kept_normalised(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    new, total, out = _step(m, l, o * l, z, v)
    return new, total, out / total


@_mistake(
    "logarithm-of-the-sum",
    "extra",
    "You returned the logarithm of l'. The running sum itself is kept; log l' + m' is the log-sum-exp, which is formed "
    "only at the end.",
    "返回的是 l' 的对数。累积和应保持原值；log l' + m' 是 log-sum-exp，只在最后才计算。",
)
def _logarithm(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> _State:
    new, total, out = _step(m, l, o, z, v)
    return new, total.log(), out


ONLINE_SOFTMAX_STEP_MISTAKES = tuple(_mistake.found)
