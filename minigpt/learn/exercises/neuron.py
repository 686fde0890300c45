"""The exercise of the neuron: its gradients by hand.

Dimensions: N rows, D inputs.
"""

import numpy as np
from torch import Tensor

from minigpt import equations
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.learning.neuron_gradients import NEURON_GRADIENTS_MISTAKES
from minigpt.learn.exercises.solutions.neuron import NEURON_GRADIENTS_SOLUTIONS


def _draw(d: ExerciseDraw) -> tuple[Tensor, ...]:
    """Weighted sums around 0, so that the tanh is curved; one row or several, of one input or several."""
    rows, width = d.size(1, 6), d.size(1, 5)
    return d.normal(rows, width), d.normal(width, scale=0.6), d.normal(scale=0.6), d.normal(rows)


def _expected(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The slopes of the equation of the loss: its change when one parameter changes by a little in both directions."""
    loss, weights, bias = equations.get("neuron-loss"), w.double().numpy(), b.double().numpy()
    h = 1e-5  # the error is in the order of its square

    def slope(dw: np.ndarray, db: float) -> np.ndarray:
        above, below = (loss.evaluate(x=x, w=weights + sign * dw, b=bias + sign * db, y=y) for sign in (1, -1))
        return (above - below) / (2 * h)

    steps = h * np.eye(len(w))
    return np.stack([slope(step, 0.0) for step in steps]), slope(0 * weights, h)


NEURON_GRADIENTS = Exercise(
    name="neuron_gradients",
    level=2,
    stage=Words("Neuron and backpropagation", "神经元与反向传播"),
    task=Words(
        "Backpropagate through one neuron: the gradients of the mean squared error by the weights and by the bias.",
        "对单个神经元做反向传播：求均方误差对权重和偏置的梯度。",
    ),
    arguments={"x": "(N, D) float32", "w": "(D,) float32", "b": "() float32", "y": "(N,) float32"},
    result="(dw (D,), db ())",
    latex=r"L = \frac{1}{N} \sum_{n=1}^{N} (a_n - y_n)^2, \quad a_n = \tanh(w \cdot x_n + b); \quad "
    r"\frac{\partial L}{\partial w_d} = \, ?, \quad \frac{\partial L}{\partial b} = \, ?",
    equations=("neuron-loss",),
    page="notebooks/02-neural-networks-and-backpropagation",
    term=r"a_n = \tanh(w \cdot x_n + b)",
    draw=_draw,
    expected=_expected,
    misconceptions=NEURON_GRADIENTS_MISTAKES,
    solutions=NEURON_GRADIENTS_SOLUTIONS,
)

EXERCISES = (NEURON_GRADIENTS,)
