"""Exercise 13: multi-head attention."""

import math

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import Equation, get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.multi_head_attention import MULTI_HEAD_ATTENTION_MISTAKES
from minigpt.learn.exercises.solutions.heads import MULTI_HEAD_ATTENTION_SOLUTIONS

_Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]


#: The largest magnitude of a score that is drawn; with larger ones almost all the attention is on a single key.
LARGEST_SCORE = 25.0


def _draw(d: ExerciseDraw) -> _Inputs:
    while True:
        n_heads, head_width = d.size(2, 4), d.size(1, 4)
        width = n_heads * head_width
        x = d.normal(d.choice([1, 1, 2, 3]), d.size(1, 5), width)
        w_q, w_k, w_v, w_o = (d.normal(width, width, scale=1.5 / math.sqrt(width)) for _ in range(4))
        queries, keys = (torch.stack((x @ w).chunk(n_heads, -1)) for w in (w_q, w_k))
        if (queries @ keys.mT).abs().max() <= LARGEST_SCORE:
            return x, w_q, w_k, w_v, w_o, n_heads


def _without_mask(name: str) -> Equation:
    """A registered causal equation whose sums run over all T positions."""
    causal = get(name)
    where = [row.replace("}^{t}", "}^{T}") for row in causal.where]
    return Equation(name, causal.latex, where, causal.symbols, causal.source, causal.function)


def _expected(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int) -> np.ndarray:
    columns = [torch.stack(w.chunk(n_heads, 1)) for w in (w_q, w_k, w_v)]
    given = dict(zip(("W_Q", "W_K", "W_V", "W_O"), (*columns, torch.stack(w_o.chunk(n_heads, 0))), strict=True))
    equation = _without_mask("multi-head-attention")
    return np.stack([equation.evaluate(x=rows, **given) for rows in x])


MULTI_HEAD_ATTENTION = Exercise(
    name="multi_head_attention",
    level=3,
    stage=Words("Attention", "注意力"),
    task=Words(
        "Split the projections into heads, attend without a mask in each head, merge the heads and project.",
        "把投影拆分成多个头，每个头在没有掩码的情况下计算注意力，再合并各头并作输出投影。",
    ),
    arguments={
        "x": "(B, T, D) float32",
        "w_q": "(D, D) float32",
        "w_k": "(D, D) float32",
        "w_v": "(D, D) float32",
        "w_o": "(D, D) float32",
        "n_heads": "int H; head h owns columns hE … (h+1)E - 1 of w_q, w_k and w_v, and the same rows of w_o",
    },
    result="(B, T, D)",
    latex=r"y_t = \sum_{h=1}^{H} o_{ht} W^O_h, \quad o_{ht} = \sum_{s=1}^{T} a_{hts} x_s W^V_h, \quad "
    r"a_{hts} = \frac{\exp(z_{hts})}{\sum_{r=1}^{T} \exp(z_{htr})}, \quad "
    r"z_{hts} = \frac{(x_t W^Q_h) \cdot (x_s W^K_h)}{\sqrt{E}}",
    equations=("multi-head-attention",),
    page="notebooks/05-self-attention-as-written",
    term=r"\sum_{h=1}^{H} o_{ht} W^O_h",
    draw=_draw,
    expected=_expected,
    misconceptions=MULTI_HEAD_ATTENTION_MISTAKES,
    solutions=MULTI_HEAD_ATTENTION_SOLUTIONS,
)

EXERCISES = (MULTI_HEAD_ATTENTION,)
