"""Mistakes with perplexity and bits per byte.

Dimensions: n tokens of all texts.
"""

import math

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("perplexity")
_Losses = list[Tensor]
_Figures = tuple[float, float]


def _total(losses: _Losses) -> tuple[float, int]:
    """Nats and tokens of all texts."""
    return sum(text.double().sum().item() for text in losses), sum(len(text) for text in losses)


def _right(losses: _Losses, n_bytes: int) -> _Figures:
    nats, n = _total(losses)
    return math.exp(nats / n), nats / math.log(2) / n_bytes


_mistake(
    "mean-of-text-means",
    "order",
    "You averaged the mean losses of the texts, so a short text counts as much as a long one. Every token counts "
    "alike: sum over all tokens, then divide by their number.",
    "对各篇文本的平均损失再取平均，于是短文本与长文本的分量相同。每个词元的分量应相同：先对所有词元求和，再除以词元总"
    "数。",
)(lambda losses, n: (math.exp(sum(t.double().mean().item() for t in losses) / len(losses)), _right(losses, n)[1]))

_mistake(
    "mean-of-text-perplexities",
    "order",
    "You computed a perplexity for each text and averaged these. The corpus has one perplexity: the exponential of the "
    "mean over all its tokens.",
    "先算每篇文本的困惑度，再取平均。整个语料库只有一个困惑度：全部词元平均损失的指数。",
)(lambda losses, n: (sum(t.double().mean().exp().item() for t in losses) / len(losses), _right(losses, n)[1]))

_mistake(
    "mean-of-exponentials",
    "order",
    "You exponentiated the loss of each token and then averaged, which lets the worst tokens dominate. The mean comes "
    "first and the exponential last.",
    "先对每个词元的损失取指数再取平均，于是预测最差的词元占了主导。应先取平均，最后取指数。",
)(lambda losses, n: (torch.cat(losses).double().exp().mean().item(), _right(losses, n)[1]))

_mistake(
    "last-text-only",
    "missing",
    "You used the last text alone in both figures. They are taken over all tokens of all texts.",
    "两个指标都只用了最后一篇文本。它们应覆盖所有文本的全部词元。",
)(lambda losses, n: _right(losses[-1:], n))

_mistake(
    "no-exponential",
    "missing",
    "Your first figure is the mean loss in nats. Perplexity is its exponential.",
    "第一个结果是以奈特为单位的平均损失。困惑度是它的指数。",
)(lambda losses, n: (math.log(_right(losses, n)[0]), _right(losses, n)[1]))

_mistake(
    "power-of-two",
    "wrong-operand",
    "You raised 2 to the mean loss, but the losses are in nats. The base that belongs to natural logarithms is e.",
    "用 2 作底求平均损失的幂，但损失的单位是奈特。与自然对数对应的底数是 e。",
)(lambda losses, n: (2 ** math.log(_right(losses, n)[0]), _right(losses, n)[1]))

_mistake(
    "divided-by-texts",
    "wrong-operand",
    "You divided the total loss by the number of texts before the exponential. Perplexity is per token, so the divisor "
    "is the number of tokens.",
    "取指数之前，总损失除以的是文本的篇数。困惑度以词元为单位，除数应是词元总数。",
)(lambda losses, n: (math.exp(_total(losses)[0] / len(losses)), _right(losses, n)[1]))

_mistake(
    "perplexity-per-byte",
    "wrong-operand",
    "You divided by the bytes inside the exponential. Bytes belong to the second figure alone; perplexity here is per "
    "token.",
    "指数里除以的是字节数。字节数只属于第二个指标；这里的困惑度以词元为单位。",
)(lambda losses, n: (math.exp(_total(losses)[0] / n), _right(losses, n)[1]))

_mistake(
    "bits-per-token",
    "wrong-operand",
    "Your second figure is divided by the number of tokens: bits per token. Bits per byte divide by the bytes, so that "
    "tokenizers can be compared.",
    "第二个结果除以的是词元数，得到的是每词元比特数。每字节比特数要除以字节数，这样才能比较不同的分词器。",
)(lambda losses, n: (_right(losses, n)[0], _total(losses)[0] / math.log(2) / _total(losses)[1]))

_mistake(
    "nats-per-byte",
    "missing",
    "Your second figure is in nats per byte. A nat is 1/ln 2 bits, so it is divided by ln 2.",
    "第二个结果的单位是每字节奈特。1 奈特等于 1/ln 2 比特，所以还要除以 ln 2。",
)(lambda losses, n: (_right(losses, n)[0], _total(losses)[0] / n))

_mistake(
    "multiplied-by-ln-two",
    "sign",
    "You multiplied by ln 2 to get bits. The number of bits is larger than that of nats: divide by ln 2.",
    "换算成比特时乘以了 ln 2。比特数比奈特数大，应除以 ln 2。",
)(lambda losses, n: (_right(losses, n)[0], _total(losses)[0] * math.log(2) / n))

_mistake(
    "mean-loss-per-byte",
    "extra",
    "You divided the mean loss by the bytes, so it is divided twice: by the tokens and by the bytes. Bits per byte "
    "start from the total loss.",
    "用平均损失去除以字节数，等于除了两次：先除以词元数，又除以字节数。每字节比特数应从总损失算起。",
)(lambda losses, n: (_right(losses, n)[0], _right(losses, n)[1] / _total(losses)[1]))

_mistake(
    "bits-of-the-perplexity",
    "wrong-operand",
    "You divided the perplexity by ln 2 and by the bytes. The bits come from the loss, before any exponential.",
    "第二个结果是由困惑度除以 ln 2 和字节数得到的。比特数应由损失算出，不经过指数。",
)(lambda losses, n: (_right(losses, n)[0], _right(losses, n)[0] / math.log(2) / n))

_mistake(
    "exchanged",
    "order",
    "You returned the two figures in the other order. Perplexity comes first, bits per byte second.",
    "两个结果的次序反了。第一个是困惑度，第二个是每字节比特数。",
)(lambda losses, n: _right(losses, n)[::-1])

_mistake(
    "first-text-only",
    "missing",
    "You used only the first of the texts, as when a function returns inside its loop. Both figures cover all texts.",
    "只用了第一篇文本，就像在循环内部提前返回一样。两个指标都应覆盖全部文本。",
)(lambda losses, n: _right(losses[:1], n))

_mistake(
    "negative-exponent",
    "sign",
    "You took the exponential of minus the mean loss, which is the mean probability of a token and is below 1. The "
    "losses already contain the minus; perplexity is at least 1.",
    "对负的平均损失取了指数，得到的是词元概率的（几何）平均，小于 1。损失里已含负号；困惑度不小于 1。",
)(lambda losses, n: (1 / _right(losses, n)[0], _right(losses, n)[1]))

_mistake(
    "exponential-of-the-sum",
    "missing",
    "You exponentiated the sum of all losses, not their mean. That is the inverse probability of the whole corpus and "
    "grows with its length.",
    "对损失的总和取了指数，而不是对平均值。那是整个语料库概率的倒数，会随长度增大。",
)(lambda losses, n: (math.exp(_total(losses)[0]), _right(losses, n)[1]))

_mistake(
    "bytes-as-bits",
    "extra",
    "You multiplied the number of bytes by 8, which gives a compression ratio. Bits per byte divide the bits of the "
    "loss by the bytes themselves.",
    "把字节数乘以了 8，得到的是压缩比。每字节比特数是用损失的比特数除以字节数本身。",
)(lambda losses, n: (_right(losses, n)[0], _right(losses, n)[1] / 8))

PERPLEXITY_MISTAKES = tuple(_mistake.found)
