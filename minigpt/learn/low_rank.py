"""A linear layer that is fine-tuned through a low-rank update (LoRA).

Dimensions: D input width, M output width, R rank, n rows.
"""

from torch import Tensor

from minigpt.equations import equation


@equation(
    "lora-linear",
    r"y_i = W x_i + \frac{\alpha}{R} B A x_i",
    symbols={
        "x": "(n, D) input rows",
        "W": "(M, D) frozen matrix",
        "A": "(R, D) from the input to the rank",
        "B": "(M, R) from the rank to the output",
        r"\alpha": "() strength of the update",
        "y": "(n, M) output rows",
    },
    source="Hu et al. 2021, arXiv:2106.09685, Eq. 3 and section 4.1",
)
def low_rank_linear(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """The frozen product plus the scaled update.

    Args:
        x: ``(n, D)``.
        weight: ``(M, D)``, frozen.
        a: ``(R, D)``.
        b: ``(M, R)``; at the start of fine-tuning 0.
        alpha: the update counts alpha/R.

    Returns:
        ``(n, M)``.
    """
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)
