"""Mistakes with scaled dot-product attention under a mask.

Dimensions: T query positions, S key positions, E head width, F width of the values; leading axes are arbitrary.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("scaled_attention")


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5


def _attend(scores: Tensor, mask: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), -1) @ v


@_mistake(
    "unscaled",
    "missing",
    "The scale is missing. The dot products are divided by √E, the root of the head width, so that they do not grow "
    "with it.",
    "缺少缩放。点积要除以 √E（注意力头宽度的平方根），以免随宽度增大。",
)
def _unscaled(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(q @ k.transpose(-2, -1), mask, v)


@_mistake(
    "divided-by-width",
    "scale",
    "You divided the scores by E itself. The spread of a dot product of E terms grows with √E, so the root is what it "
    "is divided by.",
    "注意力分数除以了 E 本身。E 项点积的离散程度按 √E 增长，应除以平方根。",
)
def _by_width(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(q @ k.transpose(-2, -1) / q.shape[-1], mask, v)


@_mistake(
    "multiplied-by-root",
    "scale",
    "You multiplied the scores by √E. They are divided by it: a larger head width must not make attention sharper.",
    "注意力分数乘了 √E。应当除以 √E：宽度变大不应使注意力变得更尖锐。",
)
def _multiplied(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(q @ k.transpose(-2, -1) * q.shape[-1] ** 0.5, mask, v)


@_mistake(
    "root-of-length",
    "wrong-operand",
    "You divided by √S, the root of the number of keys. The scale comes from the width of the vectors: √E.",
    "除以了 √S，即键的个数的平方根。缩放取决于向量的宽度，应为 √E。",
)
def _by_length(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(q @ k.transpose(-2, -1) / k.shape[-2] ** 0.5, mask, v)


@_mistake(
    "root-of-query-count",
    "wrong-operand",
    "You divided by √T, the root of the number of queries. The scale does not depend on the length of the text: it is "
    "√E, from the last axis of the queries.",
    "除以了 √T，即查询个数的平方根。缩放与文本长度无关：应为 √E，取自查询的最后一个轴。",
)
def _by_query_count(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(q @ k.transpose(-2, -1) / q.shape[-2] ** 0.5, mask, v)


@_mistake(
    "scale-after-softmax",
    "order",
    "You divided by √E after the softmax, so the weights add up to less than 1. The scale acts on the scores, before "
    "the exponential.",
    "在 softmax 之后才除以 √E，于是权重之和小于 1。缩放作用在分数上，应在取指数之前。",
)
def _scaled_late(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(q @ k.transpose(-2, -1), mask, v) / q.shape[-1] ** 0.5


@_mistake(
    "unmasked",
    "missing",
    "The mask has no effect: every query attends to every key. Where it is False the weight has to be exactly 0.",
    "掩码没有起作用：每个查询都关注了所有的键。掩码为 False 处，权重必须恰好为 0。",
)
def _unmasked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return torch.softmax(_scores(q, k), -1) @ v


@_mistake(
    "mask-inverted",
    "mask",
    "You hid the keys where the mask is True. True means that the query may attend; hidden is what is False.",
    "掩码为 True 的键反而被遮住了。True 表示可以关注，应遮住的是 False。",
)
def _inverted(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(_scores(q, k), ~mask, v)


@_mistake(
    "mask-after-softmax",
    "order",
    "You set weights to 0 after the softmax and did not normalise again, so they add up to less than 1. Masked keys "
    "have to be missing in the denominator, too.",
    "在 softmax 之后才把权重置 0，并且没有重新归一化，于是权重之和小于 1。被遮住的键在分母中也不应出现。",
)
def _masked_late(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return (torch.softmax(_scores(q, k), -1) * mask) @ v


@_mistake(
    "zero-scores",
    "mask",
    "You set the masked scores to 0. exp(0) is 1, so a hidden key still gets weight; a score of −∞ gives weight 0.",
    "把被遮住的分数设成了 0。exp(0) 等于 1，这些键仍会得到权重；分数设为 −∞，权重才是 0。",
)
def _zero_scores(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return torch.softmax(_scores(q, k) * mask, -1) @ v


@_mistake(
    "mask-added",
    "mask",
    "You added the mask to the scores as the numbers 1 and 0, which only favours the visible keys. Hidden keys need "
    "−∞ added.",
    "把掩码当作 1 与 0 加到了分数上，只是让可见的键略占优势。被遮住的键应当加上 −∞。",
)
def _added(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return torch.softmax(_scores(q, k) + mask, -1) @ v


@_mistake(
    "over-queries",
    "axis",
    "Your softmax runs over the queries: for each key the weights of all queries add up to 1. Each query distributes "
    "its attention over the keys, the last axis of the scores.",
    "softmax 沿着查询做了归一化：对每个键，所有查询的权重之和为 1。应由每个查询在键上（分数的最后一个轴）分配注意力。",
)
def _over_queries(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return torch.softmax(_scores(q, k).masked_fill(~mask, -torch.inf), -2) @ v


@_mistake(
    "causal-instead",
    "mask",
    "You used a causal mask of your own and not the one that is given. The argument decides which keys each query may "
    "see.",
    "用的是自己生成的因果掩码，而不是给定的掩码。每个查询能看到哪些键由参数决定。",
)
def _causal(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(_scores(q, k), torch.ones_like(mask).tril(mask.shape[1] - mask.shape[0]), v)


@_mistake(
    "keys-as-values",
    "wrong-operand",
    "You mixed the keys. Keys only decide how much each position counts; what is summed are the values.",
    "加权求和用的是键。键只决定各位置的权重，被求和的应当是值。",
)
def _keys(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return _attend(_scores(q, k), mask, k)


@_mistake(
    "no-softmax",
    "missing",
    "You mixed the values with the masked scores themselves, without a softmax. Weights are positive and add up to 1 "
    "for each query.",
    "直接用（遮住后的）分数对值加权，没有做 softmax。权重应为正数，并且对每个查询之和为 1。",
)
def _no_softmax(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return (_scores(q, k) * mask) @ v


@_mistake(
    "unnormalised",
    "missing",
    "You summed the values with bare exponentials: the denominator, the sum over the visible keys r, is missing.",
    "求和时权重只有指数：缺少分母，即对可见的键 r 求和。",
)
def _unnormalised(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return (_scores(q, k).exp() * mask) @ v


SCALED_ATTENTION_MISTAKES = tuple(_mistake.found)
