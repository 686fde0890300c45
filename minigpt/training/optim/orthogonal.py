r"""The nearest orthogonal matrix, nearly, by matrix products alone.

A matrix $U S V^\top$ keeps its directions $U$ and $V$ while an odd polynomial, applied five times over, drives its
singular values $S$ towards 1. The coefficients were chosen for speed, not for an exact end: the singular values end
between about 0.7 and 1.2.

Dimensions: R rows, C columns, K steps.
"""

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SMALLEST_NORM = 1e-7


@equation(
    "newton-schulz",
    r"O = X_K",
    where=[
        r"X_k = a_k X_{k-1} + (b_k A_k + c_k A_k A_k) X_{k-1}",
        r"A_k = X_{k-1} X_{k-1}^\top",
        r"X_0 = \frac{1}{\max(\lVert G \rVert, \epsilon)} G",
    ],
    symbols={
        "G": "(R, C) a matrix",
        "O": "(R, C) the matrix of the same directions, its singular values near 1",
        "X": "(K, R, C) the steps towards it, from no singular value above 1",
        "A": "(K, R, R) products of the rows",
        "a": "(K) 3.4445 at each step",
        "b": "(K) -4.7750",
        "c": "(K) 2.0315",
        r"\epsilon": "() the smallest norm that is divided by",
    },
    source="Jordan et al. 2024, Muon, https://kellerjordan.github.io/posts/muon/; Bernstein & Newhouse 2024, "
    "arXiv:2409.20325",
)
def newton_schulz(g: Tensor, steps: int = 5) -> Tensor:
    """Drive the singular values of ``g`` towards 1.

    Args:
        g: ``(..., R, C)``; each matrix by itself.
        steps: K.

    Returns:
        ``(..., R, C)`` in the dtype of ``g``.
    """
    a, b, c = COEFFICIENTS
    x, wide = _start(g)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


@fast_twin(
    of=newton_schulz,
    error=1e-4,
    gradient="autograd",
    when='`Muon` with `implementation="fast"`',
    faster="each sum is part of the matrix product before it",
)
def fast_newton_schulz(g: Tensor, steps: int = 5) -> Tensor:
    """:func:`newton_schulz` of matrices ``(N, R, C)``, each sum as a part of the product before it."""
    a, b, c = COEFFICIENTS
    x, wide = _start(g)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT


def _start(g: Tensor) -> tuple[Tensor, bool]:
    """X₀, and whether it is not transposed: the polynomial is odd, so it may work on the side with smaller products."""
    wide = g.shape[-2] <= g.shape[-1]
    x = g if wide else g.mT
    return x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=SMALLEST_NORM), wide
