"""Exercise 13: multi-head attention."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.equations import Equation, get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.multi_head_attention import MULTI_HEAD_ATTENTION_MISTAKES

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


def _multi_head_attention(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int) -> Tensor:
    def split(y: Tensor) -> Tensor:
        return y.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    q, k, v = split(x @ w_q), split(x @ w_k), split(x @ w_v)
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o


def _multi_head_attention_head_by_head(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    y, e = torch.zeros_like(x), x.shape[-1] // n_heads
    for h in range(n_heads):
        own = slice(h * e, (h + 1) * e)
        q, k, v = x @ w_q[:, own], x @ w_k[:, own], x @ w_v[:, own]
        weights = torch.softmax(q @ k.transpose(1, 2) / e**0.5, dim=2)
        y = y + weights @ v @ w_o[own]
    return y


def _multi_head_attention_with_einsum(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    q, k, v = (torch.einsum("btd,dhe->bthe", x, w.unflatten(1, (n_heads, -1))) for w in (w_q, w_k, w_v))
    a = torch.softmax(torch.einsum("bthe,bshe->bhts", q, k) / q.shape[-1] ** 0.5, dim=-1)
    return torch.einsum("bhts,bshe,hed->btd", a, v, w_o.unflatten(0, (n_heads, -1)))


def _multi_head_attention_with_functional(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    batch, length, width = x.shape
    q, k, v = ((x @ w).view(batch, length, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width) @ w_o


def _multi_head_attention_with_numpy(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> np.ndarray:
    rows, *matrices = (np.asarray(each, dtype=np.float64) for each in (x, w_q, w_k, w_v))
    q, k, v = (np.split(rows @ matrix, n_heads, axis=-1) for matrix in matrices)
    outputs = []
    for h in range(n_heads):
        z = q[h] @ k[h].transpose(0, 2, 1) / np.sqrt(q[h].shape[-1])
        a = np.exp(z - z.max(-1, keepdims=True))
        outputs.append(a / a.sum(-1, keepdims=True) @ v[h])
    return np.concatenate(outputs, axis=-1) @ np.asarray(w_o, dtype=np.float64)


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
    solutions=(
        _multi_head_attention,
        _multi_head_attention_with_functional,
        _multi_head_attention_head_by_head,
        _multi_head_attention_with_einsum,
        _multi_head_attention_with_numpy,
    ),
)

EXERCISES = (MULTI_HEAD_ATTENTION,)
