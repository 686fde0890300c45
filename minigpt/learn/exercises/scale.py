"""Exercises 23 and 24: a block of the online softmax, and a linear layer with a low-rank update."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.lora_linear import LORA_LINEAR_MISTAKES
from minigpt.learn.exercises.slips.model.online_softmax_step import ONLINE_SOFTMAX_STEP_MISTAKES

_STAGE = Words("Scale", "规模化")


def _state_draw(d: ExerciseDraw) -> tuple[Tensor, ...]:
    z, v = d.normal(n := d.size(1, 5)), d.normal(n, width := d.size(1, 4))
    side = d.choice([-1, 0, 1])
    if side == 0:
        return torch.full((), -torch.inf), torch.zeros(()), torch.zeros(width), z, v
    gap = d.normal().abs()
    while gap < 0.05:
        gap = d.normal().abs()
    return z.max() + side * gap, 1 + d.normal().abs(), d.normal(width), z, v


def _state_expected(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> tuple[np.ndarray, ...]:
    rows = get("online-softmax-block").evaluate_all(m=m, l=l, o=o, z=z, v=v)
    return rows["m_prime"], rows["l_prime"], rows["o_prime"]


def _online_softmax_step(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    new = torch.maximum(m, z.max())
    shrink, p = torch.exp(m - new), torch.exp(z - new)
    return new, l * shrink + p.sum(), o * shrink + p @ v


def _online_softmax_step_one_at_a_time(
    m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    for score, value in zip(z, v, strict=True):
        new = torch.maximum(m, score)
        l = l * torch.exp(m - new) + torch.exp(score - new)
        o = o * torch.exp(m - new) + torch.exp(score - new) * value
        m = new
    return m, l, o


def _online_softmax_step_with_numbers(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> list:
    scores, values = z.tolist(), v.tolist()
    new = max(float(m), *scores)
    shrink, p = math.exp(float(m) - new), [math.exp(score - new) for score in scores]
    out = [old * shrink + sum(p[j] * values[j][i] for j in range(len(p))) for i, old in enumerate(o.tolist())]
    return [new, float(l) * shrink + sum(p), out]


def _online_softmax_step_as_one_softmax(
    m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    scores = torch.cat((m[None], z)).double()
    p = torch.exp(scores - scores.max())
    return scores.max(), p @ F.pad(l[None], (0, len(z)), value=1.0).double(), p @ torch.vstack((o, v)).double()


def _online_softmax_step_with_numpy(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> tuple[np.ndarray, ...]:
    old, total, out, scores, values = (each.numpy().astype(np.float64) for each in (m, l, o, z, v))
    new = np.maximum(old, scores.max())
    p = np.exp(scores - new)
    return new, total * np.exp(old - new) + p.sum(), out * np.exp(old - new) + np.einsum("j,jd->d", p, values)


ONLINE_SOFTMAX_STEP = Exercise(
    name="online_softmax_step",
    level=3,
    stage=_STAGE,
    task=Words(
        "Absorb one block of scores and values into the running maximum, sum and output, as FlashAttention does.",
        "像 FlashAttention 那样，把一块分数与值并入累积的最大值、和与输出。",
    ),
    arguments={
        "m": "() float32, the maximum so far; -inf at the start",
        "l": "() float32, the sum so far; 0 at the start",
        "o": "(d,) float32, the output so far; 0 at the start",
        "z": "(n,) float32, scores of the block",
        "v": "(n, d) float32, values of the block",
    },
    result="(m (), l (), o (d,))",
    latex=r"m' = \max(m, \max_j z_j), \quad l' = l e^{m - m'} + \sum_{j=1}^{n} e^{z_j - m'}, \quad "
    r"o' = o e^{m - m'} + \sum_{j=1}^{n} e^{z_j - m'} v_j",
    equations=("online-softmax-block",),
    page="notebooks/12-fused-attention",
    term="l e^{m - m'}",
    draw=_state_draw,
    expected=_state_expected,
    misconceptions=ONLINE_SOFTMAX_STEP_MISTAKES,
    solutions=(
        _online_softmax_step,
        _online_softmax_step_one_at_a_time,
        _online_softmax_step_with_numbers,
        _online_softmax_step_as_one_softmax,
        _online_softmax_step_with_numpy,
    ),
)


def _lora_draw(d: ExerciseDraw) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    n_in, n_out, rank = d.size(2, 6), d.size(2, 6), d.size(1, 3)
    n_out = d.choice([n_in, n_out, n_out, n_out])
    alpha = d.choice([alpha for alpha in (0.5, 1.5, 2.0, 3.0, 4.0, 6.0) if alpha != rank])
    x, weight = d.normal(d.size(1, 4), n_in), d.normal(n_out, n_in)
    return x, weight, d.normal(rank, n_in), d.normal(n_out, rank), alpha


def _lora_expected(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> np.ndarray:
    return get("lora-linear").evaluate(x=x, W=weight, A=a, B=b, alpha=alpha)


def _lora_linear(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)


def _lora_linear_with_functional(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return F.linear(x, weight) + F.linear(F.linear(x, a), b) * (alpha / a.shape[0])


def _lora_linear_merged(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return x.double() @ (weight + alpha / len(a) * b @ a).T.double()


def _lora_linear_with_einsum(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    update = torch.einsum("ni,ri,or->no", x, a, b)
    return torch.einsum("ni,oi->no", x, weight) + alpha * update / a.size(0)


def _lora_linear_with_loops(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> list[list[float]]:
    def times(rows: list, matrix: Tensor) -> list[list[float]]:
        return [[sum(p * q for p, q in zip(row, out, strict=True)) for out in matrix.tolist()] for row in rows]

    frozen, update = times(x.tolist(), weight), times(times(x.tolist(), a), b)
    return [[f + alpha / len(a) * u for f, u in zip(*rows, strict=True)] for rows in zip(frozen, update, strict=True)]


LORA_LINEAR = Exercise(
    name="lora_linear",
    level=2,
    stage=_STAGE,
    task=Words(
        "Apply a frozen linear layer with a low-rank update.",
        "计算带低秩更新的冻结线性层。",
    ),
    arguments={
        "x": "(N, I) float32",
        "weight": "(O, I) float32, frozen",
        "a": "(r, I) float32",
        "b": "(O, r) float32",
        "alpha": "float α",
    },
    result="(N, O)",
    latex=r"y = x W^\top + \frac{\alpha}{r}\, x A^\top B^\top",
    equations=("lora-linear",),
    page="docs/explanation/parts-beyond-the-course",
    term=r"\frac{\alpha}{r}\, x A^\top B^\top",
    draw=_lora_draw,
    expected=_lora_expected,
    misconceptions=LORA_LINEAR_MISTAKES,
    solutions=(
        _lora_linear,
        _lora_linear_with_functional,
        _lora_linear_merged,
        _lora_linear_with_einsum,
        _lora_linear_with_loops,
    ),
)

EXERCISES = (ONLINE_SOFTMAX_STEP, LORA_LINEAR)
