"""Exercises 23 and 24: a block of the online softmax, and a linear layer with a low-rank update."""

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.lora_linear import LORA_LINEAR_MISTAKES
from minigpt.learn.exercises.slips.model.online_softmax_step import ONLINE_SOFTMAX_STEP_MISTAKES
from minigpt.learn.exercises.solutions.scale import LORA_LINEAR_SOLUTIONS, ONLINE_SOFTMAX_STEP_SOLUTIONS

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
    solutions=ONLINE_SOFTMAX_STEP_SOLUTIONS,
)


def _lora_draw(d: ExerciseDraw) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    n_in, n_out, rank = d.size(2, 6), d.size(2, 6), d.size(1, 3)
    n_out = d.choice([n_in, n_out, n_out, n_out])
    alpha = d.choice([alpha for alpha in (0.5, 1.5, 2.0, 3.0, 4.0, 6.0) if alpha != rank])
    x, weight = d.normal(d.size(1, 4), n_in), d.normal(n_out, n_in)
    return x, weight, d.normal(rank, n_in), d.normal(n_out, rank), alpha


def _lora_expected(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> np.ndarray:
    return get("lora-linear").evaluate(x=x, W=weight, A=a, B=b, alpha=alpha)


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
    solutions=LORA_LINEAR_SOLUTIONS,
)

EXERCISES = (ONLINE_SOFTMAX_STEP, LORA_LINEAR)
