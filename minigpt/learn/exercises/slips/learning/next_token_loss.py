"""Mistakes with the training loss of a language model.

Dimensions: B texts, T positions, V vocabulary.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("next_token_loss")


def _losses(logits: Tensor, ids: Tensor) -> Tensor:
    """``(B, T - 1)`` nats of each predicted token."""
    return F.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")


def _surprise(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    return -log_probabilities.gather(-1, targets.unsqueeze(-1)).mean()


@_mistake(
    "not-shifted",
    "shift",
    "You compared the logits of position t with the token at position t, which the model has already read. They "
    "predict the token after it, at t + 1.",
    "把位置 t 的 logits 与位置 t 的词元作了比较，而模型已经读过这个词元。它们预测的是下一个词元，即位置 t + 1。",
)
def _not_shifted(logits: Tensor, ids: Tensor) -> Tensor:
    return F.cross_entropy(logits.mT, ids)


@_mistake(
    "shifted-backwards",
    "shift",
    "You shifted the other way: the logits of position t are compared with the token before it, at t - 1. The target "
    "is the following token; the last logits and the first token drop out.",
    "移位的方向反了：位置 t 的 logits 与前一个词元（t - 1）作了比较。目标是后一个词元；舍去的是最后一个位置的 logits "
    "和第一个词元。",
)
def _backwards(logits: Tensor, ids: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, 1:].mT, ids[:, :-1])


@_mistake(
    "wrapped-around",
    "border",
    "You rolled the ids, so the last position has to predict the first token of its text. Nothing follows the last "
    "position; it is left out, and T - 1 predictions remain.",
    "用循环移位得到目标，于是最后一个位置要预测本行的第一个词元。最后一个位置之后没有词元，应舍去，只剩 T - 1 个预测。",
)
def _wrapped(logits: Tensor, ids: Tensor) -> Tensor:
    return F.cross_entropy(logits.mT, ids.roll(-1, dims=1))


@_mistake(
    "rows-joined",
    "border",
    "You flattened the batch before the shift, so the end of one text predicts the beginning of the next. The shift "
    "happens inside each row.",
    "先把批量展平再移位，于是一行的末尾要预测下一行的开头。移位应在每一行内部进行。",
)
def _rows_joined(logits: Tensor, ids: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1)[:-1], ids.flatten()[1:])


@_mistake(
    "summed",
    "scale",
    "You summed the losses of all predicted tokens. The loss is their mean: the sum divided by B(T - 1).",
    "把所有预测词元的损失相加了。损失是平均值：总和除以 B(T - 1)。",
)
def _summed(logits: Tensor, ids: Tensor) -> Tensor:
    return _losses(logits, ids).sum()


@_mistake(
    "divided-by-all-positions",
    "scale",
    "You divided by B·T, all positions. Only T - 1 tokens of each row are predicted, so the divisor is B(T - 1).",
    "除以了全部位置数 B·T。每行只预测 T - 1 个词元，除数应是 B(T - 1)。",
)
def _all_positions(logits: Tensor, ids: Tensor) -> Tensor:
    return _losses(logits, ids).sum() / ids.numel()


@_mistake(
    "mean-over-texts-only",
    "scale",
    "You summed over the positions of a text and averaged over the batch, which gives nats per text. The loss is per "
    "token, so it is averaged over the positions, too.",
    "对一行的各位置求和，只对批量取平均，得到的是每行文本的奈特数。损失以词元为单位，对位置也要取平均。",
)
def _per_text(logits: Tensor, ids: Tensor) -> Tensor:
    return _losses(logits, ids).sum(1).mean()


@_mistake(
    "mean-over-positions-only",
    "scale",
    "You averaged over the positions, but summed over the texts of the batch. Both are averaged, so that the loss does "
    "not grow with B.",
    "对位置取了平均，却对批量中的各行求和。两者都应取平均，损失才不会随 B 增大。",
)
def _per_position(logits: Tensor, ids: Tensor) -> Tensor:
    return _losses(logits, ids).mean(1).sum()


@_mistake(
    "in-bits",
    "scale",
    "You took the logarithm to base 2, which gives bits per token. Nats use the natural logarithm.",
    "用了以 2 为底的对数，得到的是每个词元的比特数。以奈特为单位要用自然对数。",
)
def _bits(logits: Tensor, ids: Tensor) -> Tensor:
    return _surprise(torch.log2(torch.softmax(logits[:, :-1], -1)), ids[:, 1:])


@_mistake(
    "no-minus",
    "sign",
    "You returned the mean log-likelihood, which is negative. The loss has a minus in front, so that less is better.",
    "返回的是平均对数似然，为负数。损失前面有负号，数值越小越好。",
)
def _no_minus(logits: Tensor, ids: Tensor) -> Tensor:
    return -_losses(logits, ids).mean()


@_mistake(
    "no-softmax",
    "missing",
    "You took the logits themselves for log-probabilities. A softmax over the vocabulary comes first, and its "
    "logarithm subtracts the log-sum-exp.",
    "把 logits 本身当成了对数概率。应先在词表上做 softmax，取对数后相当于减去 log-sum-exp。",
)
def _no_softmax(logits: Tensor, ids: Tensor) -> Tensor:
    return _surprise(logits[:, :-1], ids[:, 1:])


@_mistake(
    "softmax-twice",
    "extra",
    "You put probabilities into a cross-entropy that applies a softmax of its own, so the softmax was taken twice. It "
    "is applied once, to the logits.",
    "把概率送进了自带 softmax 的交叉熵，于是做了两次 softmax。softmax 只对 logits 做一次。",
)
def _softmax_twice(logits: Tensor, ids: Tensor) -> Tensor:
    return _losses(torch.softmax(logits, -1), ids).mean()


@_mistake(
    "softmax-over-positions",
    "axis",
    "You normalised over the positions. The softmax runs over the vocabulary: at each position the V probabilities sum "
    "to 1.",
    "softmax 沿位置方向归一化了。应沿词表方向：每个位置上的 V 个概率之和为 1。",
)
def _over_positions(logits: Tensor, ids: Tensor) -> Tensor:
    return _surprise(torch.log_softmax(logits[:, :-1], 1), ids[:, 1:])


@_mistake(
    "no-logarithm",
    "missing",
    "You averaged the probabilities of the targets without their logarithm. The surprise of a token is -log p.",
    "对目标词元的概率取了平均，没有取对数。一个词元的损失是 -log p。",
)
def _no_logarithm(logits: Tensor, ids: Tensor) -> Tensor:
    return _surprise(torch.softmax(logits[:, :-1], -1), ids[:, 1:])


@_mistake(
    "log-of-the-mean",
    "order",
    "You averaged the probabilities first and took the logarithm of the mean. The logarithm comes first, for each "
    "token, and then the mean.",
    "先对概率取平均，再对平均值取对数。应先对每个词元取对数，再取平均。",
)
def _log_of_the_mean(logits: Tensor, ids: Tensor) -> Tensor:
    return -torch.log(-_no_logarithm(logits, ids))


@_mistake(
    "perplexity",
    "extra",
    "You took the exponential of the loss, which is the perplexity. The loss itself is asked for, in nats.",
    "对损失取了指数，得到的是困惑度。这里要的是损失本身，单位为奈特。",
)
def _perplexity(logits: Tensor, ids: Tensor) -> Tensor:
    return _losses(logits, ids).mean().exp()


NEXT_TOKEN_LOSS_MISTAKES = tuple(_mistake.found)
