"""Right answers to the exercises of attention.

Dimensions: n token vectors of width d; T query positions, S key positions, E head width.
"""

import math

import numpy as np
import torch
from einops import einsum
from torch import Tensor


def _weights_as_written(v: Tensor) -> Tensor:
    e = torch.exp(v @ v.T)
    return e / e.sum(1, keepdim=True)


def _weights_by_softmax(v: Tensor) -> Tensor:
    return torch.nn.functional.softmax(v @ v.T, dim=-1)


def _weights_with_einsum(v: Tensor) -> Tensor:
    return torch.softmax(einsum(v, v, "i d, j d -> i j"), dim=1)


def _weights_with_lists(v: Tensor) -> list[list[float]]:
    vectors, rows = v.tolist(), []
    for v_i in vectors:
        exps = [math.exp(sum(a * b for a, b in zip(v_i, v_k, strict=True))) for v_k in vectors]
        rows.append([e / sum(exps) for e in exps])
    return rows


def _weights_with_numpy(v: Tensor) -> np.ndarray:
    e = np.exp(np.inner(v.double().numpy(), v.double().numpy()))
    return e / e.sum(axis=1)[:, None]


ATTENTION_WEIGHTS_SOLUTIONS = (
    _weights_as_written,
    _weights_by_softmax,
    _weights_with_einsum,
    _weights_with_lists,
    _weights_with_numpy,
)


def _mixed_by_softmax(v: Tensor) -> Tensor:
    return torch.softmax(v @ v.T, dim=-1) @ v


def _mixed_by_torch(v: Tensor) -> Tensor:
    return torch.nn.functional.scaled_dot_product_attention(v[None], v[None], v[None], scale=1.0)[0]


def _mixed_with_einsum(v: Tensor) -> Tensor:
    a = torch.softmax(torch.einsum("id,jd->ij", v, v), dim=1)
    return torch.einsum("ij,jd->id", a, v)


def _mixed_with_loops(v: Tensor) -> Tensor:
    rows = []
    for v_i in v:
        exps = [torch.exp(v_i @ v_k) for v_k in v]
        rows.append(sum(e * v_j for e, v_j in zip(exps, v, strict=True)) / sum(exps))
    return torch.stack(rows)


def _mixed_with_numpy(v: Tensor) -> np.ndarray:
    x = v.double().numpy()
    e = np.exp(x @ x.T)
    return (e @ x) / e.sum(axis=1, keepdims=True)


SELF_ATTENTION_SOLUTIONS = (
    _mixed_by_softmax,
    _mixed_by_torch,
    _mixed_with_einsum,
    _mixed_with_loops,
    _mixed_with_numpy,
)


def _mask_with_tril(n_queries: int, n_keys: int) -> Tensor:
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


def _mask_by_comparison(n_queries: int, n_keys: int) -> Tensor:
    queries = torch.arange(n_keys - n_queries, n_keys)
    return torch.arange(n_keys) <= queries[:, None]


def _mask_with_lists(n_queries: int, n_keys: int) -> list[list[bool]]:
    return [[s <= t + n_keys - n_queries for s in range(n_keys)] for t in range(n_queries)]


def _mask_with_numpy(n_queries: int, n_keys: int) -> np.ndarray:
    return np.tri(n_queries, n_keys, n_keys - n_queries, dtype=bool)


def _mask_of_the_last_rows(n_queries: int, n_keys: int) -> Tensor:
    return torch.ones(n_keys, n_keys).tril().bool()[-n_queries:]


CAUSAL_MASK_SOLUTIONS = (
    _mask_with_tril,
    _mask_by_comparison,
    _mask_with_lists,
    _mask_with_numpy,
    _mask_of_the_last_rows,
)


def _attention_as_written(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    z = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return torch.softmax(z.masked_fill(~mask, -math.inf), dim=-1) @ v


def _attention_of_torch(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _attention_with_einsum(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    e = mask * torch.exp(torch.einsum("...te,...se->...ts", q, k) * q.shape[-1] ** -0.5)
    return torch.einsum("...ts,...sf->...tf", e / e.sum(-1, keepdim=True), v)


def _attention_with_loops(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    if q.ndim > 2:
        return torch.stack([_attention_with_loops(*each, mask) for each in zip(q, k, v, strict=True)])
    rows = []
    for q_t, seen in zip(q, mask, strict=True):
        exps = [torch.exp(q_t @ k_s / math.sqrt(len(q_t))) if may else 0.0 for k_s, may in zip(k, seen, strict=True)]
        rows.append(sum(e * v_s for e, v_s in zip(exps, v, strict=True)) / sum(exps))
    return torch.stack(rows)


def _attention_with_numpy(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> np.ndarray:
    queries, keys, values = (tensor.double().numpy() for tensor in (q, k, v))
    z = np.where(mask.numpy(), queries @ keys.swapaxes(-2, -1) / np.sqrt(q.shape[-1]), -np.inf)
    a = np.exp(z - z.max(axis=-1, keepdims=True))
    return a / a.sum(axis=-1, keepdims=True) @ values


SCALED_ATTENTION_SOLUTIONS = (
    _attention_as_written,
    _attention_of_torch,
    _attention_with_einsum,
    _attention_with_loops,
    _attention_with_numpy,
)
