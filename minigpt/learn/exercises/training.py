"""Exercises 18, 19 and 20: the training loss, the gradient of a large batch, and the figures of a corpus."""

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.learning.accumulated_gradient import ACCUMULATED_GRADIENT_MISTAKES
from minigpt.learn.exercises.slips.learning.next_token_loss import NEXT_TOKEN_LOSS_MISTAKES
from minigpt.learn.exercises.slips.learning.perplexity import PERPLEXITY_MISTAKES
from minigpt.learn.exercises.solutions.training import (
    ACCUMULATED_GRADIENT_SOLUTIONS,
    NEXT_TOKEN_LOSS_SOLUTIONS,
    PERPLEXITY_SOLUTIONS,
)

_STAGE = Words("Training", "训练")


def _loss_draw(d: ExerciseDraw) -> tuple[Tensor, Tensor]:
    n_rows, length, vocab_size = d.size(1, 4), d.size(2, 6), d.size(2, 7)
    return d.normal(n_rows, length, vocab_size, scale=1.5), d.ids(n_rows, length, below=vocab_size)


def _loss_expected(logits: Tensor, ids: Tensor) -> np.ndarray:
    targets = ids[:, 1:]
    return get("next-token-loss").evaluate(z=logits[:, :-1], x=targets + 1, w=torch.ones_like(targets))


NEXT_TOKEN_LOSS = Exercise(
    name="next_token_loss",
    level=2,
    stage=_STAGE,
    task=Words(
        "Compute the training loss of a language model in nats per predicted token.",
        "计算语言模型的训练损失，单位是每个被预测词元的奈特数。",
    ),
    arguments={
        "logits": "(B, T, V) float32; position t scores the token after it",
        "ids": "(B, T) int64, T at least 2",
    },
    result="()",
    latex=r"L = -\frac{1}{B (T - 1)} \sum_{b=1}^{B} \sum_{t=1}^{T-1} \log(p_{bt,x_{b,t+1}}), \quad "
    r"p_{bti} = \frac{\exp(z_{bti})}{\sum_{k=1}^{V} \exp(z_{btk})}",
    equations=("next-token-loss",),
    page="notebooks/07-autoregressive-training",
    term=r"p_{bt,x_{b,t+1}}",
    draw=_loss_draw,
    expected=_loss_expected,
    misconceptions=NEXT_TOKEN_LOSS_MISTAKES,
    solutions=NEXT_TOKEN_LOSS_SOLUTIONS,
)


def _gradients_draw(d: ExerciseDraw) -> tuple[list[Tensor], list[int]]:
    n_batches, shape = d.size(1, 5), [d.size(1, 3) for _ in range(d.integer(1, 2))]
    counts = [d.integer(1, 9) for _ in range(n_batches)]
    while len(set(counts)) < min(n_batches, 2):
        counts[0] = d.integer(1, 9)
    return [d.normal(*shape) for _ in counts], counts


def _gradient_expected(gradients: list[Tensor], counts: list[int]) -> np.ndarray:
    rows = torch.stack([gradient.flatten() for gradient in gradients])
    return get("accumulated-gradient").evaluate(g=rows, n=counts).reshape(gradients[0].shape)


ACCUMULATED_GRADIENT = Exercise(
    name="accumulated_gradient",
    level=2,
    stage=_STAGE,
    task=Words(
        "Combine the gradients of micro-batches into the gradient that one large batch would give.",
        "把各个微批量的梯度合成为一个大批量应有的梯度。",
    ),
    arguments={
        "gradients": "list of K float32 tensors of one shape, each the gradient of a mean loss over its tokens",
        "counts": "list of K ints, the tokens in each",
    },
    result="the shape of one gradient",
    latex=r"g = \frac{\sum_{k=1}^{K} n_k g_k}{\sum_{k=1}^{K} n_k}",
    equations=("accumulated-gradient",),
    page="notebooks/11-scale",
    term="n_k g_k",
    draw=_gradients_draw,
    expected=_gradient_expected,
    misconceptions=ACCUMULATED_GRADIENT_MISTAKES,
    solutions=ACCUMULATED_GRADIENT_SOLUTIONS,
)


def _corpus_draw(d: ExerciseDraw) -> tuple[list[Tensor], int]:
    lengths: list[int] = []
    for _ in range(d.size(1, 3)):
        lengths.append(d.choice([n for n in range(1, 10) if n not in lengths]))
    losses = [d.normal(n, scale=1.5).abs() for n in lengths]
    return losses, sum(lengths) + d.integer(1, 3 * sum(lengths))


def _figures_expected(losses: list[Tensor], n_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    p = torch.exp(-torch.cat(losses).double())
    return get("perplexity").evaluate(p=p), get("bits-per-byte").evaluate(p=p, b=n_bytes)


PERPLEXITY = Exercise(
    name="perplexity",
    level=1,
    stage=_STAGE,
    task=Words(
        "Compute the perplexity per token and the bits per byte of a corpus of several texts.",
        "计算由多篇文本组成的语料库的每词元困惑度与每字节比特数。",
    ),
    arguments={
        "losses": "list of 1-D float32 tensors, one for each text: the nats of each token",
        "n_bytes": "int b, the bytes of all texts",
    },
    result="(perplexity (), bits per byte ())",
    latex=r"P = \exp\left(\frac{1}{n} \sum_{i=1}^{n} \ell_i\right), \quad "
    r"B = \frac{1}{b} \sum_{i=1}^{n} \frac{\ell_i}{\ln(2)}",
    equations=("perplexity", "bits-per-byte"),
    page="notebooks/07-autoregressive-training",
    term=r"\frac{1}{n} \sum_{i=1}^{n} \ell_i",
    draw=_corpus_draw,
    expected=_figures_expected,
    misconceptions=PERPLEXITY_MISTAKES,
    solutions=PERPLEXITY_SOLUTIONS,
)

EXERCISES = (NEXT_TOKEN_LOSS, ACCUMULATED_GRADIENT, PERPLEXITY)
