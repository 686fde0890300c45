"""Functions that an exercise hands to the learner: small, without state, and possible to send to another process.

Dimensions: T positions, D width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

#: By formula, what is made of the product of the input and the matrix.
NONLINEARITIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh(x W)": torch.tanh,
    "sin(x W)": torch.sin,
    "max(x W, 0)": torch.relu,
    "|x W|": torch.abs,
    "(x W)² / 4": lambda y: y * y / 4,
}


@dataclass(frozen=True, eq=False)
class PureFunction:
    """A non-linear function of vectors: ``(T, D)`` → ``(T, D)``.

    Args:
        form: its formula, one of `NONLINEARITIES`.
        matrix: ``(D, D)``, the W of the formula.
    """

    form: str
    matrix: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """``(T, D)`` → ``(T, D)``, in the dtype of ``x``."""
        return NONLINEARITIES[self.form](x @ self.matrix.to(x.dtype))

    def __repr__(self) -> str:
        rows = [[float(f"{value:.3g}") for value in row] for row in self.matrix.tolist()]
        return f"x ↦ {self.form} with W = {rows}"
