r"""One neuron and its loss: the smallest thing that backpropagation goes through.

Dimensions: N rows, D inputs.
Departure: $\tanh$ in place of the logistic function of 1986, and the mean of the squares in place of half their sum.
"""

import torch
from torch import Tensor

from minigpt.equations import equation


@equation(
    "neuron-loss",
    r"L = \frac{1}{N} \sum_{n=1}^{N} (a_n - y_n)^2",
    where=[r"a_n = \tanh(w \cdot x_n + b)"],
    symbols={
        "x": "(N, D) inputs",
        "w": "(D) weights",
        "b": "() bias",
        "y": "(N) targets",
        "a": "(N) outputs of the neuron",
        "N": "() rows",
        "L": "() mean squared error",
    },
    source="Rumelhart, Hinton & Williams 1986, Nature 323, Eqs. 1 to 3",
)
def neuron_loss(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of a neuron with the activation tanh.

    Args:
        x: ``(N, D)`` floating point.
        w: ``(D,)``.
        b: ``()``.
        y: ``(N,)``.

    Returns:
        ``()`` in the squared unit of ``y``.
    """
    return (torch.tanh(x @ w + b) - y).square().mean()
