"""Right answers to the exercises of generation."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def _sampling_probabilities(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    p, order = torch.softmax(logits / temperature, dim=0).sort(descending=True)
    p = p[:top_k] / p[:top_k].sum()
    p = p * (p.cumsum(0) - p < top_p)
    return torch.zeros_like(logits).scatter(0, order[:top_k], p / p.sum())


def _sampling_probabilities_with_logits(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    z = logits / temperature
    z = z.masked_fill(z < z.topk(top_k).values[-1], -torch.inf)
    p = torch.softmax(z, dim=0)
    before = (p * (p > p[:, None])).sum(dim=1)
    return torch.softmax(z.masked_fill(before >= top_p, -torch.inf), dim=0)


def _sampling_probabilities_with_loops(logits: Tensor, temperature: float, top_k: int, top_p: float) -> list[float]:
    weights = np.exp((logits.double().numpy() - float(logits.max())) / temperature).tolist()
    order = sorted(range(len(weights)), key=lambda i: -weights[i])[:top_k]
    total, kept, mass = sum(weights[i] for i in order), [], 0.0
    for i in order:
        if mass < top_p:
            kept.append(i)
            mass += weights[i] / total
    rest = sum(weights[i] for i in kept)
    return [weights[i] / rest if i in kept else 0.0 for i in range(len(weights))]


def _sampling_probabilities_with_numpy(logits: Tensor, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    z = logits.numpy().astype(np.float64) / temperature
    order = np.argsort(-z)[:top_k]
    p = np.exp(z[order] - z[order[0]])
    n = 1 + np.searchsorted(np.cumsum(p / p.sum()), top_p)
    result = np.zeros_like(z)
    result[order[:n]] = p[:n] / p[:n].sum()
    return result


def _kv_cache_step(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    keys, values = torch.vstack((k_cache, x @ w_k)), torch.vstack((v_cache, x @ w_v))
    weights = torch.softmax(keys @ (x @ w_q) / keys.shape[1] ** 0.5, dim=0)
    return weights @ values, keys, values


def _kv_cache_step_with_functional(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    keys, values = F.pad(k_cache, (0, 0, 0, 1)), F.pad(v_cache, (0, 0, 0, 1))
    keys[-1], values[-1] = x @ w_k, x @ w_v
    return F.scaled_dot_product_attention((x @ w_q)[None], keys, values)[0], keys, values


def _kv_cache_step_with_loops(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor
) -> list[list]:
    def row(matrix: Tensor) -> list[float]:
        return [sum(a * b for a, b in zip(x.tolist(), column, strict=True)) for column in matrix.T.tolist()]

    q, keys, values = row(w_q), [*k_cache.tolist(), row(w_k)], [*v_cache.tolist(), row(w_v)]
    scores = [sum(a * b for a, b in zip(q, key, strict=True)) / len(q) ** 0.5 for key in keys]
    weights = [float(np.exp(score - max(scores))) for score in scores]
    columns = zip(*values, strict=True)
    out = [sum(a * v for a, v in zip(weights, column, strict=True)) / sum(weights) for column in columns]
    return [out, keys, values]


def _kv_cache_step_with_numpy(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor
) -> tuple[np.ndarray, ...]:
    token, *matrices = (each.numpy().astype(np.float64) for each in (x, w_q, w_k, w_v))
    query, key, value = (token @ matrix for matrix in matrices)
    keys, values = np.vstack((k_cache.numpy(), key)), np.vstack((v_cache.numpy(), value))
    scores = keys @ query / np.sqrt(len(query))
    weights = np.exp(scores - scores.max())
    return weights @ values / weights.sum(), keys, values


SAMPLING_PROBABILITIES_SOLUTIONS = (
    _sampling_probabilities,
    _sampling_probabilities_with_logits,
    _sampling_probabilities_with_loops,
    _sampling_probabilities_with_numpy,
)

KV_CACHE_STEP_SOLUTIONS = (
    _kv_cache_step,
    _kv_cache_step_with_functional,
    _kv_cache_step_with_loops,
    _kv_cache_step_with_numpy,
)
