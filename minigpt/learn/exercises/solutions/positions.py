"""Right answers to the exercises of positions."""

import math

import numpy as np
import torch
from torch import Tensor


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


SINUSOIDAL_POSITIONS_SOLUTIONS = (
    _sinusoidal_positions,
    _sinusoidal_positions_into_columns,
    _sinusoidal_positions_with_loops,
    _sinusoidal_positions_with_numpy,
    _sinusoidal_positions_with_complex_numbers,
)

ROTARY_POSITIONS_SOLUTIONS = (
    _rotary_positions,
    _rotary_positions_with_complex_numbers,
    _rotary_positions_with_loops,
    _rotary_positions_with_matrices,
    _rotary_positions_with_numpy,
)
