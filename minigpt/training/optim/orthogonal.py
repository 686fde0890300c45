r"""The nearest orthogonal matrix, nearly, by matrix products alone.

A matrix $U S V^\top$ keeps its directions $U$ and $V$ while odd polynomials, applied one after another, drive its
singular values $S$ towards 1. The same polynomial five times over (Jordan et al.) was chosen for speed, not for an
exact end: the singular values end between about 0.7 and 1.2. Polynomials that are best for where the singular values
are by then ("Polar Express") come about as close in three steps.

Dimensions: R rows, C columns, K steps.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin

Polynomial = tuple[float, float, float]  # a, b and c of a x + b x³ + c x⁵

JORDAN: Polynomial = (3.4445, -4.7750, 2.0315)
# Each takes singular values from an interval, at first [0.003, 1], as near to 1 as a polynomial of degree 5 can; the
# next is for the interval in which they are then. After the three they are between 0.35 and 1.65.
POLAR_EXPRESS: tuple[Polynomial, ...] = (
    (8.3837, -24.7659, 18.3571),
    (4.0434, -3.0114, 0.5695),
    (3.5056, -2.6267, 0.5257),
)
#: The polynomials of the steps, by the name that ``TrainConfig.orthogonal`` has for them.
POLYNOMIALS: dict[str, tuple[Polynomial, ...]] = {"jordan-5": 5 * (JORDAN,), "polar-3": POLAR_EXPRESS}
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
        "a": "(K) of the polynomial of each step, such as 3.4445",
        "b": "(K) such as -4.7750",
        "c": "(K) such as 2.0315",
        r"\epsilon": "() the smallest norm that is divided by",
    },
    source="Jordan et al. 2024, Muon, https://kellerjordan.github.io/posts/muon/; Bernstein & Newhouse 2024, "
    "arXiv:2409.20325; polynomials that change from step to step: Amsel et al. 2025, arXiv:2505.16932, Algorithm 1",
)
def newton_schulz(g: Tensor, steps: int | None = None, polynomials: Sequence[Polynomial] = 5 * (JORDAN,)) -> Tensor:
    """Drive the singular values of ``g`` towards 1.

    Args:
        g: ``(..., R, C)``; each matrix by itself.
        steps: K; ``None`` means as many as there are polynomials, whose last serves all steps beyond.
        polynomials: a, b and c of each step.

    Returns:
        ``(..., R, C)`` in the dtype of ``g``.
    """
    x, wide = _start(g)
    for a, b, c in _of_steps(polynomials, steps):
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
def fast_newton_schulz(
    g: Tensor, steps: int | None = None, polynomials: Sequence[Polynomial] = 5 * (JORDAN,)
) -> Tensor:
    """:func:`newton_schulz` of matrices ``(N, R, C)``, each sum as a part of the product before it."""
    x, wide = _start(g)
    for a, b, c in _of_steps(polynomials, steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT


def _of_steps(polynomials: Sequence[Polynomial], steps: int | None) -> list[Polynomial]:
    last = len(polynomials) - 1
    return [polynomials[min(k, last)] for k in range(last + 1 if steps is None else steps)]


def _start(g: Tensor) -> tuple[Tensor, bool]:
    """X₀, and whether it is not transposed: the polynomial is odd, so it may work on the side with smaller products."""
    wide = g.shape[-2] <= g.shape[-1]
    x = g if wide else g.mT
    scale = _scale(x)
    x = x / scale
    smallest = (SMALLEST_NORM / scale).to(x.dtype)
    return x / torch.maximum(torch.linalg.matrix_norm(x, keepdim=True), smallest), wide


def _scale(x: Tensor) -> Tensor:
    """A power of two, at least 1: no bit of ``x`` is lost by dividing by it, and then no square overflows."""
    largest = x.detach().abs().amax((-2, -1), keepdim=True)
    wide = largest.float() if largest.dtype in (torch.float16, torch.bfloat16) else largest
    power = wide / 4 / torch.frexp(wide).mantissa.clamp(min=0.5)  # a mantissa is in [½, 1), and that of 0 is 0
    return power.clamp(min=1).to(x.dtype)
