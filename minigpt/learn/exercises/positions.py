"""Exercises 14 and 15: the table of sines and cosines, and rotary positions."""

import numpy as np
from torch import Tensor

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.rotary_positions import ROTARY_POSITIONS_MISTAKES
from minigpt.learn.exercises.slips.model.sinusoidal_positions import SINUSOIDAL_POSITIONS_MISTAKES
from minigpt.learn.exercises.solutions.positions import ROTARY_POSITIONS_SOLUTIONS, SINUSOIDAL_POSITIONS_SOLUTIONS

_STAGE = Words("Attention", "注意力")


def _table_draw(d: ExerciseDraw) -> tuple[int, int, float]:
    return d.size(1, 9), 2 * d.size(1, 5), d.choice([50.0, 200.0, 1000.0, 10000.0])


def _table_expected(length: int, d_model: int, base: float) -> np.ndarray:
    return get("sinusoidal-positions").evaluate(T=length, D=d_model, b=base)


SINUSOIDAL_POSITIONS = Exercise(
    name="sinusoidal_positions",
    level=2,
    stage=_STAGE,
    task=Words(
        "Build the position table of the 2017 paper: sines and cosines of falling frequencies, in alternating columns.",
        "构造 2017 年论文中的位置编码表：频率逐渐降低的正弦与余弦，在各列中交替排列。",
    ),
    arguments={
        "length": "int T, positions counted from 0",
        "d_model": "int D, even",
        "base": "float b",
    },
    result="(T, D)",
    latex=r"P_{t,2i} = \sin\left(\frac{t}{b^{2i/D}}\right), \quad P_{t,2i+1} = \cos\left(\frac{t}{b^{2i/D}}\right), "
    r"\quad 0 \le i < D/2",
    equations=("sinusoidal-positions",),
    page="notebooks/06-transformer-block-and-gpt",
    term=r"\frac{t}{b^{2i/D}}",
    draw=_table_draw,
    expected=_table_expected,
    misconceptions=SINUSOIDAL_POSITIONS_MISTAKES,
    solutions=SINUSOIDAL_POSITIONS_SOLUTIONS,
)


def _rotary_draw(d: ExerciseDraw) -> tuple[Tensor, float]:
    leading = d.choice([[], [2], [3], [3, 1], [1, 2], [2, 2]])
    x = d.normal(*leading, d.size(1, 6), 2 * d.size(1, 4))
    return x, d.choice([20.0, 100.0, 1000.0, 10000.0])


def _rotary_expected(x: Tensor, base: float) -> np.ndarray:
    equation = get("rotary-interleaved")
    rows = [equation.evaluate(x=each, b=base) for each in x.reshape(-1, *x.shape[-2:])]
    return np.stack(rows).reshape(x.shape)


ROTARY_POSITIONS = Exercise(
    name="rotary_positions",
    level=3,
    stage=_STAGE,
    task=Words(
        "Rotate neighbouring pairs of each vector by angles that grow with its position: the interleaved layout.",
        "把每个向量中相邻的两维作为一对，按随位置增大的角度旋转（交错布局）。",
    ),
    arguments={"x": "(..., T, E) float32, E even, positions counted from 0", "base": "float b"},
    result="(..., T, E)",
    latex=r"x'_{t,2i} = x_{t,2i} \cos(\varphi(t, i)) - x_{t,2i+1} \sin(\varphi(t, i)), \quad "
    r"x'_{t,2i+1} = x_{t,2i} \sin(\varphi(t, i)) + x_{t,2i+1} \cos(\varphi(t, i)), \quad "
    r"\varphi(t, i) = t b^{-2i/E}",
    equations=("rotary-interleaved",),
    page="notebooks/09-gpt2-and-its-descendants",
    term=r"\varphi(t, i) = t b^{-2i/E}",
    draw=_rotary_draw,
    expected=_rotary_expected,
    misconceptions=ROTARY_POSITIONS_MISTAKES,
    solutions=ROTARY_POSITIONS_SOLUTIONS,
)

EXERCISES = (SINUSOIDAL_POSITIONS, ROTARY_POSITIONS)
