"""Right answers to the exercises of the block."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def _layer_norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return gain * centred / torch.sqrt(variance + eps) + bias


def _layer_norm_with_functional(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, gain.shape, gain, bias, eps)


def _layer_norm_with_moments(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + eps) * gain + bias


def _layer_norm_with_loops(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    rows, g, b = [], gain.tolist(), bias.tolist()
    for row in x.reshape(-1, x.shape[-1]).tolist():
        mean = sum(row) / len(row)
        deviation = (sum((value - mean) ** 2 for value in row) / len(row) + eps) ** 0.5
        rows.append([g[i] * (row[i] - mean) / deviation + b[i] for i in range(len(row))])
    return torch.tensor(rows, dtype=torch.float64).reshape(x.shape)


def _layer_norm_with_numpy(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> np.ndarray:
    values = x.numpy().astype(np.float64)
    mean, variance = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
    return gain.numpy() * (values - mean) / np.sqrt(variance + eps) + bias.numpy()


def _pre_norm_block(x: Tensor, norm_1: Callable, attention: Callable, norm_2: Callable, mlp: Callable) -> Tensor:
    x = x + attention(norm_1(x))
    return x + mlp(norm_2(x))


def _pre_norm_block_named(x: Tensor, norm_1: Callable, attention: Callable, norm_2: Callable, mlp: Callable) -> Tensor:
    attended = attention(norm_1(x))
    h = attended + x
    expanded = mlp(norm_2(h))
    return torch.add(expanded, h)


def _pre_norm_block_with_branches(
    x: Tensor, norm_1: Callable, attention: Callable, norm_2: Callable, mlp: Callable
) -> Tensor:
    for norm, layer in ((norm_1, attention), (norm_2, mlp)):
        x = x + layer(norm(x))
    return x


def _pre_norm_block_as_a_stream(
    x: Tensor, norm_1: Callable, attention: Callable, norm_2: Callable, mlp: Callable
) -> Tensor:
    stream = x.double().clone()
    stream += attention(norm_1(stream))
    stream += mlp(norm_2(stream))
    return stream


LAYER_NORM_SOLUTIONS = (
    _layer_norm,
    _layer_norm_with_functional,
    _layer_norm_with_moments,
    _layer_norm_with_loops,
    _layer_norm_with_numpy,
)

PRE_NORM_BLOCK_SOLUTIONS = (
    _pre_norm_block,
    _pre_norm_block_named,
    _pre_norm_block_with_branches,
    _pre_norm_block_as_a_stream,
)
