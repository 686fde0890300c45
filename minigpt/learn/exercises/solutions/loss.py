"""Right answers to the exercises of the loss.

Dimensions: V entries of a row, n classes; leading axes are arbitrary.
"""

import math

import numpy as np
import torch
from torch import Tensor


def _softmax_as_written(z: Tensor) -> Tensor:
    e = torch.exp(z - z.max(dim=-1, keepdim=True).values)
    return e / e.sum(dim=-1, keepdim=True)


def _softmax_of_torch(z: Tensor) -> Tensor:
    return torch.nn.functional.softmax(z, dim=-1)


def _softmax_by_logarithms(z: Tensor) -> Tensor:
    return (z - z.logsumexp(-1, keepdim=True)).exp()


def _softmax_with_lists(z: Tensor) -> list:
    def softmax(values: list) -> list:
        if isinstance(values[0], list):
            return [softmax(row) for row in values]
        exps = [math.exp(value - max(values)) for value in values]
        return [e / sum(exps) for e in exps]

    return softmax(z.tolist())


def _softmax_with_numpy(z: Tensor) -> np.ndarray:
    shifted = z.double().numpy() - z.double().numpy().max(-1, keepdims=True)
    return np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)


SOFTMAX_SOLUTIONS = (
    _softmax_as_written,
    _softmax_of_torch,
    _softmax_by_logarithms,
    _softmax_with_lists,
    _softmax_with_numpy,
)


def _cross_entropy_as_written(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    target = (1 - smoothing) * y + smoothing / len(y)
    return -(target * p.log()).sum()


def _cross_entropy_of_torch(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    return torch.nn.functional.cross_entropy(p.log(), y, label_smoothing=smoothing)


def _cross_entropy_as_a_mixture(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    surprise = -p.log()
    return (1 - smoothing) * torch.dot(y, surprise) + smoothing * surprise.mean()


def _cross_entropy_with_loops(y: Tensor, p: Tensor, smoothing: float) -> float:
    loss = 0.0
    for true, predicted in zip(y.tolist(), p.tolist(), strict=True):
        loss -= ((1 - smoothing) * true + smoothing / len(y)) * math.log(predicted)
    return loss


def _cross_entropy_with_numpy(y: Tensor, p: Tensor, smoothing: float) -> float:
    target = (1 - smoothing) * y.double().numpy() + smoothing / len(y)
    return float(-target @ np.log(p.double().numpy()))


CROSS_ENTROPY_SOLUTIONS = (
    _cross_entropy_as_written,
    _cross_entropy_of_torch,
    _cross_entropy_as_a_mixture,
    _cross_entropy_with_loops,
    _cross_entropy_with_numpy,
)
