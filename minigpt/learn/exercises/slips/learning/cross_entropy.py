"""Mistakes with the cross-entropy of two distributions, smoothed or not.

Dimensions: n classes.
"""

import math

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("cross_entropy")


def _smoothed(y: Tensor, smoothing: float) -> Tensor:
    return (1 - smoothing) * y + smoothing / len(y)


@_mistake(
    "no-minus",
    "sign",
    "The minus in front of the sum is missing, so the loss is negative. The logarithm of a probability is at most 0; "
    "the minus turns it into a surprise.",
    "求和号前少了负号，损失成了负数。概率的对数不大于 0，加上负号才是“意外程度”。",
)
def _no_minus(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return (_smoothed(y, smoothing) * p.log()).sum()


@_mistake(
    "roles-exchanged",
    "order",
    "You exchanged the two distributions: the logarithm was taken of the truth y and weighted by the prediction p. "
    "The truth is the weight, and the logarithm is that of the prediction.",
    "两个分布的角色互换了：对真实分布 y 取了对数，用预测 p 加权。应当用真实分布作权重，对预测取对数。",
)
def _exchanged(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(p * _smoothed(y, smoothing).log()).sum()


@_mistake(
    "bits",
    "scale",
    "You took the logarithm to base 2, which gives bits. The loss is in nats: the logarithm is the natural one.",
    "取的是以 2 为底的对数，得到的单位是比特。这里的损失以奈特为单位，用自然对数。",
)
def _bits(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(_smoothed(y, smoothing) * p.log2()).sum()


@_mistake(
    "mean-over-classes",
    "scale",
    "You averaged over the n classes. The y already are weights that add up to 1, so the formula sums and divides by "
    "nothing.",
    "对 n 个类别取了平均。y 本身就是和为 1 的权重，公式只求和，不再除以 n。",
)
def _mean(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(_smoothed(y, smoothing) * p.log()).mean()


@_mistake(
    "no-smoothing",
    "missing",
    "This is the loss without label smoothing: ε has no effect. The share ε of the truth is spread over all classes "
    "before the logarithms are weighted.",
    "这是没有标签平滑的损失：ε 没有起作用。应先把真实分布的 ε 份额平均分给所有类别，再对对数加权。",
)
def _no_smoothing(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(y * p.log()).sum()


@_mistake(
    "only-to-the-others",
    "wrong-operand",
    "You shared ε among the n − 1 other classes and left the true one out. Label smoothing gives ε/n to every class, "
    "the true one included.",
    "把 ε 只分给了其余 n − 1 个类别，没有分给真实类别。标签平滑给每个类别都加 ε/n，真实类别也不例外。",
)
def _others(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    target = (1 - smoothing) * y + smoothing / (len(y) - 1) * (1 - y)
    return -(target * p.log()).sum()


@_mistake(
    "nothing-taken-away",
    "missing",
    "You added ε/n to every class without shrinking y by the factor 1 − ε, so the target adds up to more than 1. What "
    "is spread has to be taken from the true distribution first.",
    "给每个类别加了 ε/n，却没有先把 y 乘以 1 − ε，于是目标分布之和大于 1。分出去的份额要先从真实分布中扣除。",
)
def _nothing_taken(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -((y + smoothing / len(y)) * p.log()).sum()


@_mistake(
    "nothing-given",
    "missing",
    "You only shrank y by the factor 1 − ε; the term ε/n is missing, so the target adds up to less than 1. The share "
    "that is taken away goes to all classes alike.",
    "只把 y 乘了 1 − ε，缺少 ε/n 这一项，于是目标分布之和小于 1。扣除的份额应平均分给所有类别。",
)
def _nothing_given(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -((1 - smoothing) * y * p.log()).sum()


@_mistake(
    "whole-epsilon-each",
    "scale",
    "You gave the whole ε to each class. All n classes share it, so each gets ε/n.",
    "给每个类别都加了整个 ε。ε 由 n 个类别共分，每个类别得 ε/n。",
)
def _whole_epsilon(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(((1 - smoothing) * y + smoothing) * p.log()).sum()


@_mistake(
    "prediction-smoothed",
    "wrong-operand",
    "You smoothed the prediction p and left the label y sharp. Label smoothing mixes the uniform distribution into "
    "the true labels; the logarithm is that of p itself.",
    "平滑的是预测 p，标签 y 没有变。标签平滑是把均匀分布混入真实标签，取对数的仍是 p 本身。",
)
def _prediction_smoothed(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(y * _smoothed(p, smoothing).log()).sum()


@_mistake(
    "softmax-again",
    "extra",
    "You passed p through a softmax once more, as if it were logits. The entries of p are probabilities already; only "
    "their logarithm is needed.",
    "把 p 当作未归一化的预测，又做了一次 softmax。p 已经是概率，只需取对数。",
)
def _softmax_again(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(_smoothed(y, smoothing) * torch.log_softmax(p, 0)).sum()


@_mistake(
    "binary",
    "extra",
    "You added (1 − y) log(1 − p) for each class: the binary cross-entropy of n independent yes-or-no questions. Here "
    "the n classes form one distribution, and only y log p counts.",
    "给每个类别又加上了 (1 − y) log(1 − p)，这是 n 个独立是非题的二元交叉熵。"
    "这里 n 个类别构成一个分布，只有 y log p 这一项。",
)
def _binary(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    target = _smoothed(y, smoothing)
    return -(target * p.log() + (1 - target) * (1 - p).log()).sum()


@_mistake(
    "divergence",
    "extra",
    "You subtracted the entropy of the target itself: this is the Kullback–Leibler divergence. Cross-entropy keeps "
    "it, so its least value is not 0 when the target is soft.",
    "多减去了目标分布自身的熵，得到的是 KL 散度。交叉熵包含这部分熵，所以目标不是独热时最小值不为 0。",
)
def _divergence(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    target = _smoothed(y, smoothing)
    return torch.xlogy(target, target).sum() - (target * p.log()).sum()


@_mistake(
    "most-probable-class",
    "missing",
    "You reduced the true distribution to its most probable class and dropped its other entries. A soft y weights the "
    "logarithm of every class.",
    "只保留了真实分布中概率最大的类别，丢掉了其余元素。y 为软标签时，每个类别的对数都要按 y 加权。",
)
def _most_probable(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    true = torch.nn.functional.one_hot(y.argmax(), len(y))
    return -(_smoothed(true, smoothing) * p.log()).sum()


@_mistake(
    "no-logarithm",
    "missing",
    "You returned one minus the probability of the truth, without a logarithm. The logarithm is what makes a confident "
    "error expensive.",
    "返回的是 1 减去真实类别的概率，没有取对数。对数使“自信的错误”付出很大的代价。",
)
def _no_logarithm(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return 1 - (_smoothed(y, smoothing) * p).sum()


@_mistake(
    "decimal",
    "scale",
    "You took the logarithm to base 10. The loss is in nats: its logarithm is the natural one, to base e.",
    "取的是以 10 为底的常用对数。损失以奈特为单位，应当取以 e 为底的自然对数。",
)
def _decimal(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return -(_smoothed(y, smoothing) * p.log()).sum() / math.log(10)


CROSS_ENTROPY_MISTAKES = tuple(_mistake.found)
