"""Right answers to the exercise of the language model.

Dimensions: T tokens of the text, V vocabulary.
"""

import numpy as np
import torch
from torch import Tensor


def _with_index_put(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    counts = torch.zeros(vocab_size, vocab_size)
    counts.index_put_((ids[:-1], ids[1:]), torch.ones(len(ids) - 1), accumulate=True)
    return (counts + alpha) / (counts + alpha).sum(1, keepdim=True)


def _with_loops(ids: Tensor, vocab_size: int, alpha: float) -> list[list[float]]:
    table = []
    for previous in range(vocab_size):
        counts = [0] * vocab_size
        for t in range(1, len(ids)):
            if ids[t - 1] == previous:
                counts[int(ids[t])] += 1
        table.append([(count + alpha) / (sum(counts) + alpha * vocab_size) for count in counts])
    return table


def _with_one_hot_vectors(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    one_hot = torch.eye(vocab_size, dtype=torch.float64)[ids]
    counts = one_hot[:-1].T @ one_hot[1:]
    return (counts + alpha) / (counts.sum(1, keepdim=True) + alpha * vocab_size)


def _with_bincount(ids: Tensor, vocab_size: int, alpha: float) -> Tensor:
    pairs = ids[:-1] * vocab_size + ids[1:]
    counts = torch.bincount(pairs, minlength=vocab_size**2).reshape(vocab_size, vocab_size) + alpha
    return torch.nn.functional.normalize(counts, p=1, dim=1)


def _with_numpy(ids: Tensor, vocab_size: int, alpha: float) -> np.ndarray:
    counts = np.full((vocab_size, vocab_size), alpha)
    np.add.at(counts, (ids[:-1].numpy(), ids[1:].numpy()), 1)
    return counts / counts.sum(axis=1, keepdims=True)


BIGRAM_PROBABILITIES_SOLUTIONS = (_with_index_put, _with_loops, _with_one_hot_vectors, _with_bincount, _with_numpy)
