"""Mistakes with the gradient of a large batch, from those of its micro-batches.

Dimensions: K micro-batches.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("accumulated_gradient")
_Gradients = list[Tensor]
_Slip = Callable[[_Gradients, list[int]], Tensor]


def _combined(gradients: _Gradients, weights: Sequence[float]) -> Tensor:
    return torch.stack([weight * gradient for gradient, weight in zip(gradients, weights, strict=True)]).sum(0)


def _weighted(weights: Callable[[Tensor], Tensor]) -> _Slip:
    """Each gradient times a weight that follows from the counts."""
    return lambda gradients, counts: _combined(gradients, weights(torch.tensor(counts).double()).tolist())


_mistake(
    "plain-mean",
    "missing",
    "You averaged the gradients as if all micro-batches were equally large. Each is weighted by its number of tokens.",
    "对各个梯度直接取了平均，好像每个微批量一样大。每个梯度应按其词元数加权。",
)(_weighted(lambda n: torch.ones_like(n) / len(n)))

_mistake(
    "plain-sum",
    "missing",
    "You added the gradients without weights and without a divisor. They are gradients of means, so their sum is about "
    "K times too large; the formula takes a weighted mean.",
    "把各个梯度直接相加，既没有加权也没有除数。它们是平均损失的梯度，相加后约大了 K 倍；公式取的是加权平均。",
)(_weighted(torch.ones_like))

_mistake(
    "not-divided",
    "missing",
    "You weighted by the token counts, but did not divide by the total number of tokens. That is the gradient of the "
    "summed loss, not of the mean.",
    "按词元数加了权，但没有除以词元总数。这样得到的是总损失的梯度，而不是平均损失的梯度。",
)(_weighted(lambda n: n))

_mistake(
    "divided-by-number-of-batches",
    "wrong-operand",
    "You divided the weighted sum by K, the number of micro-batches. The divisor is the number of tokens in all of "
    "them.",
    "加权和除以了微批量的个数 K。除数应是所有微批量的词元总数。",
)(_weighted(lambda n: n / len(n)))

_mistake(
    "sum-divided-by-tokens",
    "missing",
    "You divided by the total number of tokens without first multiplying each gradient by its own count. That fits "
    "gradients of sums; these are gradients of means.",
    "直接除以词元总数，而没有先把每个梯度乘以自己的词元数。这种做法适用于总损失的梯度，而这里给的是平均损失的梯度。",
)(_weighted(lambda n: torch.ones_like(n) / n.sum()))

_mistake(
    "each-divided-by-its-count",
    "wrong-operand",
    "You divided each gradient by its own count and added them up. It is already a mean; its count is a factor, and "
    "the total of all counts the divisor.",
    "每个梯度除以了自己的词元数，然后相加。它本来就是平均值；自己的词元数是因子，全部词元数之和才是除数。",
)(_weighted(lambda n: 1 / n))

_mistake(
    "inverse-weights",
    "wrong-operand",
    "You weighted by the inverse of the counts, so the smallest micro-batch counts most. More tokens mean more weight.",
    "用词元数的倒数作权重，于是最小的微批量权重最大。词元越多，权重应越大。",
)(_weighted(lambda n: 1 / n / (1 / n).sum()))

_mistake(
    "last-only",
    "missing",
    "You kept only the gradient of the last micro-batch, as when the gradients are set to zero before each of them. "
    "They accumulate over all K.",
    "只保留了最后一个微批量的梯度，就像每次都先清零一样。梯度应在全部 K 个微批量上累积。",
)(lambda gradients, counts: gradients[-1].clone())

_mistake(
    "last-left-out",
    "border",
    "You left out the last micro-batch, in the sum of gradients and in the total. All K belong to the large batch, the "
    "incomplete last one as well.",
    "漏掉了最后一个微批量，梯度之和与词元总数里都没有它。全部 K 个都属于大批量，不完整的最后一个也算。",
)(lambda gradients, counts: _weighted(lambda n: n / n.sum())(gradients[:-1] or gradients, counts[:-1] or counts))

_mistake(
    "halved-repeatedly",
    "order",
    "You averaged the result so far with each new gradient, one half each, so the early micro-batches fade. All of "
    "them are weighted by their tokens alone, in any order.",
    "每次把已有结果与新的梯度各取一半平均，于是较早的微批量逐渐消失。各微批量只按词元数加权，与次序无关。",
)(_weighted(lambda n: 0.5 ** torch.tensor([min(len(n) - k, len(n) - 1) for k in range(len(n))]).double()))

_mistake(
    "divided-by-largest",
    "wrong-operand",
    "You divided by the size of the largest micro-batch. The weights have to sum to 1, so the divisor is the sum of "
    "all counts.",
    "除以了最大那个微批量的词元数。各权重之和应为 1，所以除数是全部词元数之和。",
)(_weighted(lambda n: n / n.max()))

_mistake(
    "root-weights",
    "wrong-operand",
    "You weighted by the square roots of the counts. The mean loss over all tokens is linear in the counts, so are the "
    "weights.",
    "用词元数的平方根作权重。全部词元的平均损失与词元数成线性关系，权重也是如此。",
)(_weighted(lambda n: n.sqrt() / n.sqrt().sum()))

_mistake(
    "divided-twice",
    "extra",
    "You divided by the total of tokens and once more by K. The weighted mean has a single divisor, the number of "
    "tokens.",
    "除以词元总数之后又除以了 K。加权平均只有一个除数，即词元总数。",
)(_weighted(lambda n: n / n.sum() / len(n)))

_mistake(
    "first-only",
    "missing",
    "You returned the gradient of the first micro-batch and ignored the later ones.",
    "只返回了第一个微批量的梯度，忽略了后面的微批量。",
)(lambda gradients, counts: gradients[0].clone())

ACCUMULATED_GRADIENT_MISTAKES = tuple(_mistake.found)
