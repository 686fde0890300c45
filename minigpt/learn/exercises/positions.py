"""Exercises 14 and 15: the table of sines and cosines, and rotary positions."""

import math

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.model.rotary_positions import ROTARY_POSITIONS_MISTAKES
from minigpt.learn.exercises.slips.model.sinusoidal_positions import SINUSOIDAL_POSITIONS_MISTAKES

_STAGE = Words("Attention", "注意力")


def _table_draw(d: ExerciseDraw) -> tuple[int, int, float]:
    return d.size(1, 9), 2 * d.size(1, 5), d.choice([50.0, 200.0, 1000.0, 10000.0])


def _table_expected(length: int, d_model: int, base: float) -> np.ndarray:
    return get("sinusoidal-positions").evaluate(T=length, D=d_model, b=base)


def _sinusoidal_positions(length: int, d_model: int, base: float) -> Tensor:
    frequencies = base ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


def _sinusoidal_positions_into_columns(length: int, d_model: int, base: float) -> Tensor:
    table = torch.zeros(length, d_model)
    angles = torch.arange(length).unsqueeze(1) * torch.exp(-math.log(base) * torch.arange(0, d_model, 2) / d_model)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles)
    return table


def _sinusoidal_positions_with_loops(length: int, d_model: int, base: float) -> list[list[float]]:
    table = []
    for t in range(length):
        row = []
        for i in range(d_model // 2):
            angle = t / base ** (2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        table.append(row)
    return table


def _sinusoidal_positions_with_numpy(length: int, d_model: int, base: float) -> np.ndarray:
    columns = np.arange(d_model)
    angles = np.outer(np.arange(length), 1 / base ** (2 * (columns // 2) / d_model))
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


def _sinusoidal_positions_with_complex_numbers(length: int, d_model: int, base: float) -> Tensor:
    angles = torch.outer(torch.arange(length).double(), base ** (-torch.arange(0, d_model, 2).double() / d_model))
    turns = torch.polar(torch.ones_like(angles), angles)
    return torch.stack((turns.imag, turns.real), dim=-1).reshape(length, d_model)


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
    solutions=(
        _sinusoidal_positions,
        _sinusoidal_positions_into_columns,
        _sinusoidal_positions_with_loops,
        _sinusoidal_positions_with_numpy,
        _sinusoidal_positions_with_complex_numbers,
    ),
)


def _rotary_draw(d: ExerciseDraw) -> tuple[Tensor, float]:
    leading = d.choice([[], [2], [3], [3, 1], [1, 2], [2, 2]])
    x = d.normal(*leading, d.size(1, 6), 2 * d.size(1, 4))
    return x, d.choice([20.0, 100.0, 1000.0, 10000.0])


def _rotary_expected(x: Tensor, base: float) -> np.ndarray:
    equation = get("rotary-interleaved")
    rows = [equation.evaluate(x=each, b=base) for each in x.reshape(-1, *x.shape[-2:])]
    return np.stack(rows).reshape(x.shape)


def _rotary_positions(x: Tensor, base: float) -> Tensor:
    length, width = x.shape[-2:]
    angles = torch.arange(length)[:, None] * base ** (-torch.arange(0, width, 2) / width)
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


def _rotary_positions_with_complex_numbers(x: Tensor, base: float) -> Tensor:
    length, width = x.shape[-2:]
    angles = torch.outer(torch.arange(length).float(), base ** (-torch.arange(0, width, 2) / width))
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def _rotary_positions_with_loops(x: Tensor, base: float) -> Tensor:
    y = x.clone()
    for t in range(x.shape[-2]):
        for i in range(x.shape[-1] // 2):
            angle = t * base ** (-2 * i / x.shape[-1])
            a, b = x[..., t, 2 * i], x[..., t, 2 * i + 1]
            y[..., t, 2 * i] = a * math.cos(angle) - b * math.sin(angle)
            y[..., t, 2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
    return y


def _rotary_positions_with_matrices(x: Tensor, base: float) -> Tensor:
    rows = []
    for t, row in enumerate(x.double().unbind(-2)):
        turns = []
        for i in range(x.shape[-1] // 2):
            c, s = math.cos(t * base ** (-2 * i / x.shape[-1])), math.sin(t * base ** (-2 * i / x.shape[-1]))
            turns.append(torch.tensor([[c, s], [-s, c]], dtype=torch.float64))
        rows.append(row @ torch.block_diag(*turns))
    return torch.stack(rows, dim=-2)


def _rotary_positions_with_numpy(x: Tensor, base: float) -> np.ndarray:
    values = x.numpy().astype(np.float64)
    length, width = values.shape[-2:]
    angles = np.repeat(np.outer(np.arange(length), base ** (-np.arange(0, width, 2) / width)), 2, axis=1)
    swapped = np.stack((-values[..., 1::2], values[..., 0::2]), axis=-1).reshape(values.shape)
    return values * np.cos(angles) + swapped * np.sin(angles)


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
    page="docs/explanation/parts-beyond-the-course",
    term=r"\varphi(t, i) = t b^{-2i/E}",
    draw=_rotary_draw,
    expected=_rotary_expected,
    misconceptions=ROTARY_POSITIONS_MISTAKES,
    solutions=(
        _rotary_positions,
        _rotary_positions_with_complex_numbers,
        _rotary_positions_with_loops,
        _rotary_positions_with_matrices,
        _rotary_positions_with_numpy,
    ),
)

EXERCISES = (SINUSOIDAL_POSITIONS, ROTARY_POSITIONS)
