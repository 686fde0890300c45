"""The exercises of the loss: softmax and cross-entropy.

Dimensions: V entries of a row, n classes; leading axes are arbitrary.
"""

import math

import numpy as np
import torch
from torch import Tensor

from minigpt import equations
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.learning.cross_entropy import CROSS_ENTROPY_MISTAKES
from minigpt.learn.exercises.slips.learning.softmax import SOFTMAX_MISTAKES
from minigpt.learn.exercises.solutions.loss import CROSS_ENTROPY_SOLUTIONS, SOFTMAX_SOLUTIONS

_STAGE = Words("Loss and optimizer", "损失与优化器")
_PAGE = "notebooks/03-loss-and-optimizers"


def _draw_scores(d: ExerciseDraw) -> tuple[Tensor]:
    """Moderate numbers; rows around -1000, 0 and 1000, neighbours far apart; or such numbers side by side in a row."""
    leading = [d.size(1, 4) for _ in range(d.choice([0, 1, 1, 2, 2]))]
    z = d.normal(*leading, d.size(2, 6), scale=1.5)
    far = d.choice(["no", "rows", "rows", "entries"])
    if far == "rows":
        rows = torch.arange(math.prod(leading)).reshape(*leading, 1)
        z = z + 1000 * ((rows + d.integer(0, 2)) % 3 - 1)
    elif far == "entries":
        z = z + 1000 * ((torch.arange(z.shape[-1]) + d.integer(0, 2)) % 3 - 1)
    return (z,)


def _expected_softmax(z: Tensor) -> np.ndarray:
    """The equation of each row; it is the same for a row less its largest entry, whose exponentials are finite."""
    rows = z.double().reshape(-1, z.shape[-1]).numpy()
    softmax = equations.get("softmax")
    return np.stack([softmax.evaluate(z=row - row.max()) for row in rows]).reshape(z.shape)


SOFTMAX = Exercise(
    name="softmax",
    level=1,
    stage=_STAGE,
    task=Words(
        "Turn numbers into probabilities along the last axis, also very large and very small numbers.",
        "沿最后一个轴把一组数变成概率，数很大或很小时也要正确。",
    ),
    arguments={"z": "(..., V) float32"},
    result="(..., V)",
    latex=r"p_i = \frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)}",
    equations=("softmax",),
    page=_PAGE,
    term=r"\sum_{k=1}^{V} \exp(z_k)",
    draw=_draw_scores,
    expected=_expected_softmax,
    misconceptions=SOFTMAX_MISTAKES,
    solutions=SOFTMAX_SOLUTIONS,
)


def _draw_distributions(d: ExerciseDraw) -> tuple[Tensor, Tensor, float]:
    """One-hot or soft; with and without smoothing."""
    n = d.size(2, 7)
    one_hot = torch.nn.functional.one_hot(d.ids(below=n), n).to(d.dtype)
    y = d.choice([one_hot, d.probabilities(n)])
    return y, d.probabilities(n), d.choice([0.0, d.number(0.05, 0.5), d.number(0.05, 0.5)])


def _expected_cross_entropy(y: Tensor, p: Tensor, smoothing: float) -> np.ndarray:
    if smoothing == 0:
        return equations.get("cross-entropy").evaluate(y=y, p=p)
    return equations.get("label-smoothing").evaluate(y=y, p=p, epsilon=smoothing)


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    level=1,
    stage=_STAGE,
    task=Words(
        "The cross-entropy of a true and a predicted distribution, with label smoothing.",
        "计算真实分布与预测分布的交叉熵，并带标签平滑。",
    ),
    arguments={"y": "(n,) float32, sums to 1", "p": "(n,) float32, > 0, sums to 1", "smoothing": "float, ε"},
    result="()",
    latex=r"L = -\sum_{i=1}^{n} \left((1 - \epsilon) y_i + \frac{\epsilon}{n}\right) \log(p_i)",
    equations=("cross-entropy", "label-smoothing"),
    page=_PAGE,
    term=r"\left((1 - \epsilon) y_i + \frac{\epsilon}{n}\right)",
    draw=_draw_distributions,
    expected=_expected_cross_entropy,
    misconceptions=CROSS_ENTROPY_MISTAKES,
    solutions=CROSS_ENTROPY_SOLUTIONS,
)

EXERCISES = (SOFTMAX, CROSS_ENTROPY)
