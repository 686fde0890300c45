"""Functions that a changed step may call, of tensors, arrays and numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def on(tensor: Callable[[Any], Any], array: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of tensors, and of arrays and numbers."""
    return lambda x: tensor(x) if isinstance(x, torch.Tensor) else array(np.asarray(x, dtype=float))[()]


def softmaxed(x: np.ndarray) -> np.ndarray:
    """Softmax along the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def reshaped(value: Any, other: Any) -> Any:
    """The numbers of one array, counted off anew, in the shape of another one."""
    return value.reshape(other.shape)


def size(value: Any, axis: int) -> int:
    """The length of an axis, or of a list."""
    return len(value) if isinstance(value, list | tuple) else int(value.shape[axis])


def without_diagonal(scores: torch.Tensor) -> torch.Tensor:
    """Scores without those of each position with itself; a single one stays."""
    hidden = torch.eye(*scores.shape[-2:], dtype=torch.bool)
    return scores.masked_fill(hidden, -torch.inf) if scores.shape[-1] > 1 else scores


def causal(scores: torch.Tensor) -> torch.Tensor:
    """Scores without those of later positions."""
    return scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)


EXTRA: dict[str, Callable[..., Any]] = {
    "_exp": on(torch.exp, np.exp),
    "_log": on(torch.log, np.log),
    "_sqrt": on(torch.sqrt, np.sqrt),
    "_square": on(torch.square, np.square),
    "_abs": on(torch.abs, np.abs),
    "_sigmoid": on(torch.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "_reshaped": reshaped,
    "_size": size,
    "_without_diagonal": without_diagonal,
    "_causal": causal,
    "_softmax": on(lambda x: torch.softmax(x[..., :], -1), softmaxed),  # one number has no softmax
}
