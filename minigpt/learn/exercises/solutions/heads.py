"""Right answers to the exercises of the heads."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def _multi_head_attention(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int) -> Tensor:
    def split(y: Tensor) -> Tensor:
        return y.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    q, k, v = split(x @ w_q), split(x @ w_k), split(x @ w_v)
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o


def _multi_head_attention_head_by_head(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    y, e = torch.zeros_like(x), x.shape[-1] // n_heads
    for h in range(n_heads):
        own = slice(h * e, (h + 1) * e)
        q, k, v = x @ w_q[:, own], x @ w_k[:, own], x @ w_v[:, own]
        weights = torch.softmax(q @ k.transpose(1, 2) / e**0.5, dim=2)
        y = y + weights @ v @ w_o[own]
    return y


def _multi_head_attention_with_einsum(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    q, k, v = (torch.einsum("btd,dhe->bthe", x, w.unflatten(1, (n_heads, -1))) for w in (w_q, w_k, w_v))
    a = torch.softmax(torch.einsum("bthe,bshe->bhts", q, k) / q.shape[-1] ** 0.5, dim=-1)
    return torch.einsum("bhts,bshe,hed->btd", a, v, w_o.unflatten(0, (n_heads, -1)))


def _multi_head_attention_with_functional(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    batch, length, width = x.shape
    q, k, v = ((x @ w).view(batch, length, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width) @ w_o


def _multi_head_attention_with_numpy(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> np.ndarray:
    rows, *matrices = (np.asarray(each, dtype=np.float64) for each in (x, w_q, w_k, w_v))
    q, k, v = (np.split(rows @ matrix, n_heads, axis=-1) for matrix in matrices)
    outputs = []
    for h in range(n_heads):
        z = q[h] @ k[h].transpose(0, 2, 1) / np.sqrt(q[h].shape[-1])
        a = np.exp(z - z.max(-1, keepdims=True))
        outputs.append(a / a.sum(-1, keepdims=True) @ v[h])
    return np.concatenate(outputs, axis=-1) @ np.asarray(w_o, dtype=np.float64)


MULTI_HEAD_ATTENTION_SOLUTIONS = (
    _multi_head_attention,
    _multi_head_attention_with_functional,
    _multi_head_attention_head_by_head,
    _multi_head_attention_with_einsum,
    _multi_head_attention_with_numpy,
)
