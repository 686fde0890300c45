"""Mistakes with temperature, top-k and top-p.

Dimensions: V vocabulary.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("sampling_probabilities")


def _renormalised(p: Tensor) -> Tensor:
    return p / p.sum()


def _top_k(p: Tensor, k: int) -> Tensor:
    """The k largest probabilities, the others 0; not renormalised."""
    return torch.where(p.argsort(descending=True).argsort() < k, p, 0)


def _top_p(p: Tensor, mass: float) -> Tensor:
    """The smallest set that reaches the mass, the others 0; not renormalised."""
    return torch.where(_mass_before(p) < mass, p, 0)


def _mass_before(p: Tensor) -> Tensor:
    """The mass of the more probable tokens, for each token."""
    return torch.where(p[None, :] > p[:, None], p[None, :], 0).sum(1)


def _filtered(p: Tensor, top_k: int, top_p: float) -> Tensor:
    return _renormalised(_top_p(_renormalised(_top_k(p, top_k)), top_p))


def _right(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    return _filtered(torch.softmax(logits.double() / temperature, 0), top_k, top_p)


_mistake(
    "no-temperature",
    "missing",
    "You left the temperature out. The logits are divided by it before the softmax.",
    "漏掉了温度。softmax 之前应先把 logits 除以温度。",
)(lambda z, tau, k, p: _right(z, 1.0, k, p))

_mistake(
    "multiplied-by-temperature",
    "sign",
    "You multiplied the logits by the temperature, so a high one sharpens. Dividing flattens the distribution for "
    "temperatures above 1.",
    "logits 乘以了温度，于是温度越高分布越尖锐。应当相除：温度大于 1 时分布变得平坦。",
)(lambda z, tau, k, p: _right(z, 1 / tau, k, p))

_mistake(
    "probabilities-divided",
    "order",
    "You divided the probabilities by the temperature, after the softmax, and renormalising cancels that. The "
    "temperature acts on the logits; with this it changes only what top-p keeps.",
    "softmax 之后才把概率除以温度，重新归一化又把它抵消，只影响 top-p 保留哪些词元。温度应作用在 logits 上。",
)(lambda z, tau, k, p: _renormalised(_top_p(_renormalised(_top_k(torch.softmax(z, 0), k)) / tau, p)))


@_mistake(
    "temperature-last",
    "order",
    "You applied the temperature after the filters, which therefore saw the distribution at temperature 1. The order "
    "is temperature, top-k, top-p.",
    "先过滤、后用温度，于是过滤时看到的是温度为 1 的分布。次序应是温度、top-k、top-p。",
)
def _temperature_last(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    kept = _filtered(torch.softmax(logits.double(), 0), top_k, top_p)
    return _renormalised(kept ** (1 / temperature))


@_mistake(
    "mass-of-the-full-distribution",
    "order",
    "You measured the mass of top-p on the full distribution, as when top-p comes before top-k or nothing is "
    "renormalised between the two. Top-k comes first, and top-p adds up the k kept probabilities after they sum to 1 "
    "again.",
    "top-p 的累积概率是在完整的分布上计算的，就像 top-p 先于 top-k，或两者之间没有重新归一化。应先做 top-k，使保留的"
    " k 个概率之和重新为 1，再由 top-p 累加。",
)
def _full_mass(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    return _renormalised(_top_k(_top_p(torch.softmax(logits.double() / temperature, 0), top_p), top_k))


@_mistake(
    "not-renormalised",
    "missing",
    "You set the removed tokens to 0 and left the result as it is, so it sums to less than 1. After the last filter "
    "the kept probabilities are divided by their sum.",
    "把去掉的词元置零后没有再处理，于是结果之和小于 1。最后一次过滤之后，保留的概率要除以它们的和。",
)
def _not_renormalised(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p = torch.softmax(logits.double() / temperature, 0)
    return _top_p(_renormalised(_top_k(p, top_k)), top_p)


@_mistake(
    "crossing-token-dropped",
    "border",
    "You kept only the tokens whose cumulative mass stays below the limit, without the one that crosses it. The "
    "smallest set that reaches the mass includes that token, and always the most probable one.",
    "只保留了累积概率未超过界限的词元，去掉了跨过界限的那个。累积概率达到界限的最小集合包含这个词元，而且总包含概率最"
    "大的词元。",
)
def _crossing_dropped(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p = _renormalised(_top_k(torch.softmax(logits.double() / temperature, 0), top_k))
    return _renormalised(torch.where((_mass_before(p) + p < top_p) | (p == p.max()), p, 0))


@_mistake(
    "one-more-than-the-mass",
    "border",
    "You kept one token after the set had already reached the mass. The token that crosses the limit is the last one.",
    "累积概率已达到界限之后又多保留了一个词元。跨过界限的那个词元就是最后一个。",
)
def _one_more(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p = _renormalised(_top_k(torch.softmax(logits.double() / temperature, 0), top_k))
    return _renormalised(_top_k(p, int((_mass_before(p) < top_p).logical_and(p > 0).sum()) + 1))


_mistake(
    "k-plus-one",
    "border",
    "You kept k + 1 tokens at top-k, as with a comparison of ranks counted from 0 that includes k. Exactly k tokens "
    "stay.",
    "top-k 保留了 k + 1 个词元，就像从 0 数的名次与 k 比较时把 k 也算了进去。应恰好保留 k 个。",
)(lambda z, tau, k, p: _right(z, tau, k + 1, p))

_mistake(
    "no-top-k",
    "missing",
    "You left top-k out and let top-p work on the whole vocabulary.",
    "漏掉了 top-k，让 top-p 直接作用在整个词表上。",
)(lambda z, tau, k, p: _right(z, tau, len(z), p))

_mistake(
    "no-top-p",
    "missing",
    "You left top-p out: of the k tokens, only those that are needed to reach the mass stay.",
    "漏掉了 top-p：在 k 个词元中，只应保留使累积概率达到界限所需的那些。",
)(lambda z, tau, k, p: _right(z, tau, k, 1.0))

_mistake(
    "sorted-order",
    "order",
    "You returned the probabilities in falling order. Entry i belongs to token i, so they go back to their places.",
    "返回的概率按从大到小排列。第 i 个数属于第 i 个词元，应放回原来的位置。",
)(lambda z, tau, k, p: _right(z, tau, k, p).sort(descending=True).values)


@_mistake(
    "removed-logits-zero",
    "wrong-operand",
    "You set the logits of removed tokens to 0, which still gives them probability, since exp(0) is 1. A removed token "
    "has logit minus infinity, or probability 0.",
    "把去掉的词元的 logits 置为 0，而 exp(0) 等于 1，它们仍有概率。去掉的词元其 logit 应为负无穷，或直接把概率置零。",
)
def _zero_logits(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    return torch.softmax(torch.where(_right(logits, temperature, top_k, top_p) > 0, logits / temperature, 0), 0)


@_mistake(
    "softmax-again",
    "extra",
    "You renormalised the kept probabilities with another softmax, which flattens them. They are divided by their sum.",
    "对保留的概率又做了一次 softmax 来归一化，分布因此变平。应把它们除以总和。",
)
def _softmax_again(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p = _right(logits, temperature, top_k, top_p)
    return torch.softmax(p.masked_fill(p == 0, -torch.inf), 0)


@_mistake(
    "least-probable-kept",
    "order",
    "You sorted in rising order, so top-k kept the least probable tokens. The k largest probabilities stay.",
    "按从小到大排序，于是 top-k 保留了概率最小的词元。应保留概率最大的 k 个。",
)
def _least_probable(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p = torch.softmax(logits.double() / temperature, 0)
    return _renormalised(_top_p(_renormalised(torch.where(p.argsort().argsort() < top_k, p, 0)), top_p))


@_mistake(
    "mass-from-the-least-probable",
    "order",
    "You accumulated from the least probable token upwards and removed what stays below the mass. Top-p accumulates "
    "from the most probable token down.",
    "累积概率是从最不可能的词元往上加的，并去掉了未达到界限的部分。top-p 应从概率最大的词元开始往下累加。",
)
def _from_the_least(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p = _renormalised(_top_k(torch.softmax(logits.double() / temperature, 0), top_k))
    return _renormalised(torch.where((1 - _mass_before(p) > top_p) | (p == p.max()), p, 0))


SAMPLING_PROBABILITIES_MISTAKES = tuple(_mistake.found)
