"""Right answers to the exercises of scale."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def _online_softmax_step(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    new = torch.maximum(m, z.max())
    shrink, p = torch.exp(m - new), torch.exp(z - new)
    return new, l * shrink + p.sum(), o * shrink + p @ v


def _online_softmax_step_one_at_a_time(
    m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    for score, value in zip(z, v, strict=True):
        new = torch.maximum(m, score)
        l = l * torch.exp(m - new) + torch.exp(score - new)
        o = o * torch.exp(m - new) + torch.exp(score - new) * value
        m = new
    return m, l, o


def _online_softmax_step_with_numbers(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> list:
    scores, values = z.tolist(), v.tolist()
    new = max(float(m), *scores)
    shrink, p = math.exp(float(m) - new), [math.exp(score - new) for score in scores]
    out = [old * shrink + sum(p[j] * values[j][i] for j in range(len(p))) for i, old in enumerate(o.tolist())]
    return [new, float(l) * shrink + sum(p), out]


def _online_softmax_step_as_one_softmax(
    m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    scores = torch.cat((m[None], z)).double()
    p = torch.exp(scores - scores.max())
    return scores.max(), p @ F.pad(l[None], (0, len(z)), value=1.0).double(), p @ torch.vstack((o, v)).double()


def _online_softmax_step_with_numpy(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> tuple[np.ndarray, ...]:
    old, total, out, scores, values = (each.numpy().astype(np.float64) for each in (m, l, o, z, v))
    new = np.maximum(old, scores.max())
    p = np.exp(scores - new)
    return new, total * np.exp(old - new) + p.sum(), out * np.exp(old - new) + np.einsum("j,jd->d", p, values)


def _lora_linear(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)


def _lora_linear_with_functional(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return F.linear(x, weight) + F.linear(F.linear(x, a), b) * (alpha / a.shape[0])


def _lora_linear_merged(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return x.double() @ (weight + alpha / len(a) * b @ a).T.double()


def _lora_linear_with_einsum(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    update = torch.einsum("ni,ri,or->no", x, a, b)
    return torch.einsum("ni,oi->no", x, weight) + alpha * update / a.size(0)


def _lora_linear_with_loops(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> list[list[float]]:
    def times(rows: list, matrix: Tensor) -> list[list[float]]:
        return [[sum(p * q for p, q in zip(row, out, strict=True)) for out in matrix.tolist()] for row in rows]

    frozen, update = times(x.tolist(), weight), times(times(x.tolist(), a), b)
    return [[f + alpha / len(a) * u for f, u in zip(*rows, strict=True)] for rows in zip(frozen, update, strict=True)]


ONLINE_SOFTMAX_STEP_SOLUTIONS = (
    _online_softmax_step,
    _online_softmax_step_one_at_a_time,
    _online_softmax_step_with_numbers,
    _online_softmax_step_as_one_softmax,
    _online_softmax_step_with_numpy,
)

LORA_LINEAR_SOLUTIONS = (
    _lora_linear,
    _lora_linear_with_functional,
    _lora_linear_merged,
    _lora_linear_with_einsum,
    _lora_linear_with_loops,
)
