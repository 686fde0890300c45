"""Mistakes with the probabilities of a bigram model.

Dimensions: T tokens of the text, V vocabulary.
"""

from itertools import pairwise

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("bigram_probabilities")


def _counts(ids: Tensor, vocab_size: int) -> Tensor:
    """``(V, V)``: how often each column directly follows each row."""
    counts = torch.zeros(vocab_size, vocab_size)
    for previous, following in pairwise(ids):
        counts[previous, following] += 1
    return counts


def _smoothed(counts: Tensor, alpha: float) -> Tensor:
    return (counts + alpha) / (counts.sum(1, keepdim=True) + alpha * counts.shape[1])


@_mistake(
    "transposed",
    "transposed",
    "Your table is right but turned: the row is the next token and the column the previous one. Rows hold the previous "
    "token, so that each row is a distribution over what follows it.",
    "表本身没错，只是转置了：行成了后一个词元，列成了前一个词元。应当以前一个词元为行，每一行是其后续词元的分布。",
)
def _transposed(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    return _smoothed(_counts(ids, vocab_size), alpha).T


@_mistake(
    "backwards",
    "order",
    "You counted the pairs backwards: how often a token stands before another, which gives p(previous | next). "
    "The count c(u, w) says how often w comes directly after u.",
    "词对数反了方向：统计的是某词元出现在另一词元之前的次数，得到的是 p(前 | 后)。c(u, w) 是 w 紧跟在 u 之后的次数。",
)
def _backwards(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    return _smoothed(_counts(ids, vocab_size).T, alpha)


@_mistake(
    "columns-sum-to-one",
    "axis",
    "You divided by the sums of the columns, so that each column adds up to 1. The divisor belongs to the previous "
    "token: it sums over all tokens that can follow it, along a row.",
    "除以了各列之和，于是每一列加起来为 1。分母属于前一个词元，应当沿着行，对它之后可能出现的所有词元求和。",
)
def _columns(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    return (counts + alpha) / (counts.sum(0) + alpha * vocab_size)


@_mistake(
    "joint",
    "axis",
    "You divided by the number of all pairs, so that the whole table adds up to 1: a joint probability of two tokens. "
    "The conditional probability divides by the pairs that begin with the same previous token.",
    "除以了全部词对的总数，于是整张表加起来为 1，这是两个词元的联合概率。条件概率只除以以同一个词元开头的词对数。",
)
def _joint(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    return (counts + alpha) / (counts.sum() + alpha * vocab_size**2)


@_mistake(
    "alpha-once-in-divisor",
    "missing",
    "The divisor has α only once, without the factor V. Each of the V entries of a row gets its own α, so the sum of "
    "the row grows by αV.",
    "分母里的 α 只加了一次，少了因子 V。一行中 V 个元素各加了一个 α，所以这一行的和增加了 αV。",
)
def _alpha_once(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    return (counts + alpha) / (counts.sum(1, keepdim=True) + alpha)


@_mistake(
    "alpha-above-only",
    "missing",
    "You added α to the counts but not to the divisor, so the rows add up to more than 1. Smoothing adds αV below as "
    "well, which also gives a row without any count its uniform distribution.",
    "α 只加在了计数上，分母里完全没有，于是每行之和大于 1。平滑时分母也要加上 αV，这样没有计数的行才会成为均匀分布。",
)
def _alpha_above(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    return (counts + alpha) / counts.sum(1, keepdim=True)


@_mistake(
    "unsmoothed",
    "missing",
    "You left α out: these are relative frequencies, and a pair that never occurred has probability 0. Additive "
    "smoothing adds α to every count before it normalises.",
    "没有用到 α：得到的是相对频率，从未出现的词对概率为 0。加性平滑要先给每个计数加上 α，再做归一化。",
)
def _unsmoothed(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


@_mistake(
    "unsmoothed-empty-rows",
    "missing",
    "You left α out, and a token that nothing follows has the row 0/0. With α in every count no row is empty: such a "
    "row becomes uniform, 1/V each.",
    "没有用到 α，后面没有任何词元的那一行成了 0/0。每个计数都加上 α 后就没有空行，这样的行会成为均匀分布，每项为 1/V。",
)
def _empty_rows(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    return counts / counts.sum(1, keepdim=True)


@_mistake(
    "laplace",
    "wrong-operand",
    "You added 1 to every count, which is Laplace's rule. The constant that is added is α, an argument, and it need "
    "not be 1.",
    "给每个计数加的是 1，即拉普拉斯平滑。这里要加的常数是参数 α，它不一定等于 1。",
)
def _laplace(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    return _smoothed(_counts(ids, vocab_size), 1)


@_mistake(
    "occurrences",
    "border",
    "The divisor counts every occurrence of the previous token, the one at the very end of the text included. Nothing "
    "follows that last token, so it begins no pair: the divisor is the sum of the row.",
    "分母统计了前一个词元的全部出现次数，连文本末尾那一次也算了。最后一个词元之后没有词元，不构成词对；分母应是该行计数之和。",
)
def _occurrences(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    occurrences = torch.bincount(ids, minlength=vocab_size)
    return (_counts(ids, vocab_size) + alpha) / (occurrences[:, None] + alpha * vocab_size)


@_mistake(
    "circular",
    "extra",
    "You also counted a pair from the last token back to the first, as if the text were a circle. T tokens have only "
    "T − 1 pairs.",
    "把最后一个词元与第一个词元也算成了一对，好像文本首尾相接。T 个词元只有 T − 1 个相邻词对。",
)
def _circular(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    return _smoothed(_counts(torch.cat([ids, ids[:1]]), vocab_size), alpha)


@_mistake(
    "every-other-pair",
    "missing",
    "You cut the text into separate pairs (first and second, third and fourth, …), which skips half of them. Pairs "
    "overlap: every token but the last begins one.",
    "把文本切成了互不重叠的词对（第一与第二、第三与第四……），漏掉了一半。词对是重叠的：除最后一个外，每个词元都开始一个词对。",
)
def _every_other(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = torch.zeros(vocab_size, vocab_size)
    for previous, following in zip(ids[::2], ids[1::2], strict=False):
        counts[previous, following] += 1
    return _smoothed(counts, alpha)


@_mistake(
    "unigram",
    "missing",
    "All rows are equal: you estimated how frequent each token is and ignored the previous one. A bigram model counts "
    "each row separately.",
    "所有行都相同：估计的是每个词元自身的频率（一元模型），忽略了前一个词元。二元模型要为每个前文词元单独计数。",
)
def _unigram(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = torch.bincount(ids, minlength=vocab_size)
    return ((counts + alpha) / (len(ids) + alpha * vocab_size)).repeat(vocab_size, 1)


@_mistake(
    "alpha-for-zeros",
    "wrong-operand",
    "You put α only where a count was 0 and left the other counts as they are. Additive smoothing raises all counts "
    "alike, seen and unseen.",
    "只把为 0 的计数换成了 α，其余计数保持不变。加性平滑对所有计数一视同仁，出现过的与未出现的都加 α。",
)
def _alpha_for_zeros(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = _counts(ids, vocab_size)
    filled = counts.masked_fill(counts == 0, alpha)
    return filled / filled.sum(1, keepdim=True)


@_mistake(
    "softmax-of-counts",
    "wrong-operand",
    "You applied a softmax to the counts. Counts become probabilities by dividing them by their sum, without an "
    "exponential.",
    "对计数做了 softmax。由计数得到概率只需除以它们的和，不取指数。",
)
def _softmax(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    return torch.softmax(_counts(ids, vocab_size) + alpha, 1)


BIGRAM_PROBABILITIES_MISTAKES = tuple(_mistake.found)
