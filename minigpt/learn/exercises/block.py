"""Exercises 16 and 17: layer normalization, and the wiring of a pre-norm block."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.layer_norm import LAYER_NORM_MISTAKES
from minigpt.learn.exercises.slips.model.pre_norm_block import PRE_NORM_BLOCK_MISTAKES
from minigpt.learn.exercises.solutions.block import LAYER_NORM_SOLUTIONS, PRE_NORM_BLOCK_SOLUTIONS
from minigpt.learn.pure_functions import NONLINEARITIES, PureFunction

_STAGE = Words("Block", "Transformer 块")
_PAGE = "notebooks/06-transformer-block-and-gpt"


def _norm_draw(d: ExerciseDraw) -> tuple[Tensor, Tensor, Tensor, float]:
    width, leading = d.size(3, 6), [d.size(2, 3) for _ in range(d.integer(0, 2))]
    x = d.normal(*leading, width) + d.choice([-1, 1, 2])
    while x.reshape(-1, width).var(-1, unbiased=False).min() < 0.05:
        x = x + d.normal(*leading, width)
    return x, d.normal(width), d.normal(width), d.choice([1e-5, 0.01, 0.1, 0.3])


def _norm_expected(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> np.ndarray:
    rows = [get("layer-norm").evaluate(x=row, g=gain, b=bias, epsilon=eps) for row in x.reshape(-1, x.shape[-1])]
    return np.stack(rows).reshape(x.shape)


LAYER_NORM = Exercise(
    name="layer_norm",
    level=1,
    stage=_STAGE,
    task=Words(
        "Normalise each vector to mean 0 and variance 1, then scale it by the gain and shift it by the bias.",
        "把每个向量归一化到均值 0、方差 1，再乘以增益、加上偏置。",
    ),
    arguments={"x": "(..., D) float32", "gain": "(D,) float32", "bias": "(D,) float32", "eps": "float"},
    result="(..., D)",
    latex=r"y_i = g_i \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + b_i, \quad \mu = \frac{1}{D} \sum_{j=1}^{D} x_j, "
    r"\quad \sigma^2 = \frac{1}{D} \sum_{j=1}^{D} (x_j - \mu)^2",
    equations=("layer-norm",),
    page=_PAGE,
    term=r"\frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}}",
    draw=_norm_draw,
    expected=_norm_expected,
    misconceptions=LAYER_NORM_MISTAKES,
    solutions=LAYER_NORM_SOLUTIONS,
)


def _block_draw(d: ExerciseDraw) -> tuple[Tensor, Callable, Callable, Callable, Callable]:
    width, forms, functions = d.size(2, 6), list(NONLINEARITIES), []
    for _ in range(4):
        form = forms.pop(d.integer(0, len(forms) - 1))
        functions.append(PureFunction(form, d.normal(width, width, scale=width**-0.5)))
    norm_1, attention, norm_2, mlp = functions
    return d.normal(d.size(1, 5), width), norm_1, attention, norm_2, mlp


def _exact(function: Callable) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: function(torch.from_numpy(x)).numpy()


def _block_expected(x: Tensor, norm_1: Callable, attention: Callable, norm_2: Callable, mlp: Callable) -> np.ndarray:
    parts = {"N": norm_1, "A": attention, "M": norm_2, "F": mlp}
    return get("pre-norm-block").evaluate(x=x, **{name: _exact(part) for name, part in parts.items()})


PRE_NORM_BLOCK = Exercise(
    name="pre_norm_block",
    level=2,
    stage=_STAGE,
    task=Words(
        "Wire a pre-norm Transformer block from its four parts.",
        "用四个部件连接出一个前归一化（pre-norm）的 Transformer 块。",
    ),
    arguments={
        "x": "(T, D) float32",
        "norm_1": "function (T, D) → (T, D)",
        "attention": "function (T, D) → (T, D)",
        "norm_2": "function (T, D) → (T, D)",
        "mlp": "function (T, D) → (T, D)",
    },
    result="(T, D)",
    latex=r"h = x + A(N_1(x)), \quad y = h + F(N_2(h))",
    equations=("pre-norm-block",),
    page=_PAGE,
    term="y = h + F(N_2(h))",
    draw=_block_draw,
    expected=_block_expected,
    misconceptions=PRE_NORM_BLOCK_MISTAKES,
    solutions=PRE_NORM_BLOCK_SOLUTIONS,
)

EXERCISES = (LAYER_NORM, PRE_NORM_BLOCK)
