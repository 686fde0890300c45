"""Right answers to the exercises of training."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def _next_token_loss(logits: Tensor, ids: Tensor) -> Tensor:
    log_p = torch.log_softmax(logits[:, :-1], dim=-1)
    return -log_p.gather(-1, ids[:, 1:, None]).mean()


def _next_token_loss_with_functional(logits: Tensor, ids: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def _next_token_loss_with_loops(logits: Tensor, ids: Tensor) -> float:
    losses = []
    for row, tokens in zip(logits.tolist(), ids.tolist(), strict=True):
        for scores, following in zip(row, tokens[1:], strict=False):
            losses.append(math.log(sum(math.exp(z) for z in scores)) - scores[following])
    return sum(losses) / len(losses)


def _next_token_loss_with_one_hot(logits: Tensor, ids: Tensor) -> Tensor:
    y = F.one_hot(ids[:, 1:], logits.shape[-1]).to(logits.dtype)
    p = torch.softmax(logits[:, :-1], dim=-1)
    return -torch.einsum("btv,btv->bt", y, p.log()).mean()


def _next_token_loss_with_numpy(logits: Tensor, ids: Tensor) -> np.floating:
    z, x = logits.numpy().astype(np.float64)[:, :-1], ids.numpy()[:, 1:]
    return np.mean(np.logaddexp.reduce(z, axis=-1) - np.take_along_axis(z, x[..., None], axis=-1)[..., 0])


def _accumulated_gradient(gradients: list[Tensor], counts: list[int]) -> Tensor:
    return sum((n * g for n, g in zip(counts, gradients, strict=True)), torch.zeros(())) / sum(counts)


def _accumulated_gradient_in_a_loop(gradients: list[Tensor], counts: list[int]) -> Tensor:
    total, accumulated = sum(counts), torch.zeros_like(gradients[0])
    for gradient, n in zip(gradients, counts, strict=True):
        accumulated = accumulated + gradient * (n / total)
    return accumulated


def _accumulated_gradient_stacked(gradients: list[Tensor], counts: list[int]) -> Tensor:
    weights = torch.tensor(counts, dtype=torch.float32)
    return torch.einsum("k,k...->...", weights / weights.sum(), torch.stack(gradients))


def _accumulated_gradient_with_numpy(gradients: list[Tensor], counts: list[int]) -> np.ndarray:
    return np.average([gradient.numpy() for gradient in gradients], axis=0, weights=counts)


def _accumulated_gradient_running(gradients: list[Tensor], counts: list[int]) -> Tensor:
    mean, seen = gradients[0].double(), counts[0]
    for gradient, n in zip(gradients[1:], counts[1:], strict=True):
        seen += n
        mean = mean + (gradient - mean) * n / seen
    return mean


def _perplexity(losses: list[Tensor], n_bytes: int) -> tuple[Tensor, Tensor]:
    nats = torch.cat(losses)
    return nats.mean().exp(), nats.sum() / math.log(2) / n_bytes


def _perplexity_with_loops(losses: list[Tensor], n_bytes: int) -> tuple[float, float]:
    nats = [nat for text in losses for nat in text.tolist()]
    return math.exp(sum(nats) / len(nats)), sum(nats) / (n_bytes * math.log(2))


def _perplexity_as_a_list(losses: list[Tensor], n_bytes: int) -> list[float]:
    total, n = 0.0, 0
    for text in losses:
        total, n = total + float(text.sum()), n + len(text)
    return [math.e ** (total / n), total * math.log2(math.e) / n_bytes]


def _perplexity_with_numpy(losses: list[Tensor], n_bytes: int) -> tuple[np.floating, np.floating]:
    nats = np.concatenate([text.numpy().astype(np.float64) for text in losses])
    return np.exp(nats.mean()), -np.log2(np.exp(-nats)).sum() / n_bytes


NEXT_TOKEN_LOSS_SOLUTIONS = (
    _next_token_loss,
    _next_token_loss_with_functional,
    _next_token_loss_with_loops,
    _next_token_loss_with_one_hot,
    _next_token_loss_with_numpy,
)

ACCUMULATED_GRADIENT_SOLUTIONS = (
    _accumulated_gradient,
    _accumulated_gradient_in_a_loop,
    _accumulated_gradient_stacked,
    _accumulated_gradient_with_numpy,
    _accumulated_gradient_running,
)

PERPLEXITY_SOLUTIONS = (
    _perplexity,
    _perplexity_with_loops,
    _perplexity_as_a_list,
    _perplexity_with_numpy,
)
