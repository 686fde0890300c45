"""The exercises of attention: the seed document's two formulas, the causal mask, and scaled attention under a mask.

Dimensions: n token vectors of width d; T query positions, S key positions, E head width, F width of the values.
"""

import numpy as np
import torch
from torch import Tensor

from minigpt import equations
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.attention_weights import ATTENTION_WEIGHTS_MISTAKES
from minigpt.learn.exercises.slips.model.causal_mask import CAUSAL_MASK_MISTAKES
from minigpt.learn.exercises.slips.model.scaled_attention import SCALED_ATTENTION_MISTAKES
from minigpt.learn.exercises.slips.model.self_attention import SELF_ATTENTION_MISTAKES
from minigpt.learn.exercises.solutions.attention import (
    ATTENTION_WEIGHTS_SOLUTIONS,
    CAUSAL_MASK_SOLUTIONS,
    SCALED_ATTENTION_SOLUTIONS,
    SELF_ATTENTION_SOLUTIONS,
)

_STAGE = Words("Attention", "注意力")
_PAGE = "notebooks/05-self-attention-as-written"


def _draw_vectors(d: ExerciseDraw) -> tuple[Tensor]:
    """Vectors whose dot products stay far below 88, where exp overflows."""
    return (d.normal(d.size(1, 6), d.size(1, 5), scale=0.8).clamp(-3, 3),)


def _expected_weights(v: Tensor) -> np.ndarray:
    return equations.get("attention-weights").evaluate(v=v)


ATTENTION_WEIGHTS = Exercise(
    name="attention_weights",
    level=1,
    stage=_STAGE,
    task=Words(
        "The attention weights of the seed document, as written: row i says which tokens token i attends to.",
        "按原样写出注意力权重的公式：第 i 行表示词元 i 关注哪些词元。",
    ),
    arguments={"v": "(n, d) float32"},
    result="(n, n)",
    latex=r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}",
    equations=("attention-weights",),
    page=_PAGE,
    term=r"\sum_{k=1}^{n} \exp(v_i \cdot v_k)",
    draw=_draw_vectors,
    expected=_expected_weights,
    misconceptions=ATTENTION_WEIGHTS_MISTAKES,
    solutions=ATTENTION_WEIGHTS_SOLUTIONS,
)


def _expected_output(v: Tensor) -> np.ndarray:
    return equations.get("attention-output").evaluate(v=v)


SELF_ATTENTION = Exercise(
    name="self_attention",
    level=1,
    stage=_STAGE,
    task=Words(
        "The self-attention of the seed document, as written: each new vector is a mixture of all vectors.",
        "按原样写出自注意力的公式：每个新向量是所有向量的加权和。",
    ),
    arguments={"v": "(n, d) float32"},
    result="(n, d)",
    latex=r"v'_i = \sum_{j=1}^{n} a_{ij} v_j, \quad "
    r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}",
    equations=("attention-output",),
    page=_PAGE,
    term=r"\sum_{j=1}^{n} a_{ij} v_j",
    draw=_draw_vectors,
    expected=_expected_output,
    misconceptions=SELF_ATTENTION_MISTAKES,
    solutions=SELF_ATTENTION_SOLUTIONS,
)


def _draw_lengths(d: ExerciseDraw) -> tuple[int, int]:
    """With and without a past."""
    n_queries = d.size(1, 6)
    return n_queries, n_queries + d.choice([0, d.integer(1, 3)])


def _expected_mask(n_queries: int, n_keys: int) -> np.ndarray:
    """The equation with a window that hides nothing."""
    return equations.get("causal-mask").evaluate(T=n_queries, S=n_keys, w=n_keys).astype(bool)


CAUSAL_MASK = Exercise(
    name="causal_mask",
    level=1,
    stage=_STAGE,
    task=Words(
        "The causal mask of queries that are the last T of S positions: True where query t may attend to key s.",
        "因果掩码，其中查询是 S 个位置中的最后 T 个：查询 t 可以关注键 s 时为 True。",
    ),
    arguments={"n_queries": "int, T", "n_keys": "int, S ≥ T"},
    result="(T, S) bool",
    latex=r"m_{ts} = \mathbb{1}[s \le t + S - T]",
    equations=("causal-mask",),
    page=_PAGE,
    term=r"s \le t + S - T",
    draw=_draw_lengths,
    expected=_expected_mask,
    misconceptions=CAUSAL_MASK_MISTAKES,
    solutions=CAUSAL_MASK_SOLUTIONS,
)


def _draw_queries_keys_values(d: ExerciseDraw) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sizes that are mostly different; masks that leave each query at least one key."""
    leading = [d.size(1, 2) for _ in range(d.choice([0, 1, 2]))]
    n_queries, n_keys, width, value_width = d.size(1, 5), d.size(1, 6), d.size(1, 5), d.size(1, 4)
    mask = d.normal(n_queries, n_keys) > 0
    mask[torch.arange(n_queries), d.ids(n_queries, below=n_keys)] = True
    q, k = d.normal(*leading, n_queries, width), d.normal(*leading, n_keys, width)
    return q, k, d.normal(*leading, n_keys, value_width), mask


def _expected_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> np.ndarray:
    """The equation, for each of the leading axes.

    Its values are as wide as its queries, so that others are cut into blocks of that width, filled up with zeros: a
    column of the result depends on the same column of the values alone.
    """
    if q.ndim > 2:
        return np.stack([_expected_attention(*each, mask) for each in zip(q, k, v, strict=True)])
    masked_attention, width = equations.get("masked-attention"), q.shape[1]
    filled = torch.nn.functional.pad(v, (0, -v.shape[1] % width))
    blocks = [masked_attention.evaluate(q=q, k=k, v=block, m=mask) for block in filled.split(width, dim=1)]
    return np.concatenate(blocks, axis=1)[:, : v.shape[1]]


SCALED_ATTENTION = Exercise(
    name="scaled_attention",
    level=2,
    stage=_STAGE,
    task=Words(
        "Scaled dot-product attention under a mask; True means that the query may attend to the key.",
        "带掩码的缩放点积注意力；True 表示查询可以关注该键。",
    ),
    arguments={
        "q": "(..., T, E) float32",
        "k": "(..., S, E) float32",
        "v": "(..., S, F) float32",
        "mask": "(T, S) bool, a True in each row",
    },
    result="(..., T, F)",
    latex=r"o_t = \sum_{s=1}^{S} a_{ts} v_s, \quad "
    r"a_{ts} = \frac{m_{ts} \exp(z_{ts})}{\sum_{r=1}^{S} m_{tr} \exp(z_{tr})}, \quad "
    r"z_{ts} = \frac{q_t \cdot k_s}{\sqrt{E}}",
    equations=("masked-attention",),
    page=_PAGE,
    term=r"\frac{m_{ts} \exp(z_{ts})}{\sum_{r=1}^{S} m_{tr} \exp(z_{tr})}",
    draw=_draw_queries_keys_values,
    expected=_expected_attention,
    misconceptions=SCALED_ATTENTION_MISTAKES,
    solutions=SCALED_ATTENTION_SOLUTIONS,
)

EXERCISES = (ATTENTION_WEIGHTS, SELF_ATTENTION, CAUSAL_MASK, SCALED_ATTENTION)
