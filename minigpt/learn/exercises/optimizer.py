"""The exercises of the optimizer: a step of AdamW, clipping by the global norm, a schedule of the learning rate.

Dimensions: K gradients; W warm-up steps, S steps in all.
"""

import numpy as np
import torch
from torch import Tensor

from minigpt import equations
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.learning.adamw_step import ADAMW_STEP_MISTAKES
from minigpt.learn.exercises.slips.learning.clip_gradients import CLIP_GRADIENTS_MISTAKES
from minigpt.learn.exercises.slips.learning.learning_rate import LEARNING_RATE_MISTAKES
from minigpt.learn.exercises.solutions.optimizer import (
    ADAMW_STEP_SOLUTIONS,
    CLIP_GRADIENTS_SOLUTIONS,
    LEARNING_RATE_SOLUTIONS,
)

_STAGE = Words("Loss and optimizer", "损失与优化器")


def _shape(d: ExerciseDraw) -> list[int]:
    return [d.size(1, 4) for _ in range(d.choice([0, 1, 1, 2]))]


def _draw_step(d: ExerciseDraw) -> tuple[Tensor | float, ...]:
    """The first step, whose moments are 0, and later ones; an epsilon that matters and one that does not."""
    t, shape = d.choice([1, d.integer(2, 10), d.integer(2, 10)]), _shape(d)
    param, grad, m = (d.normal(*shape) for _ in range(3))
    v = d.normal(*shape).square()
    rates = (
        d.number(0.05, 0.5),
        d.number(0.5, 0.95),
        d.number(0.9, 0.999),
        d.choice([1e-8, d.number(0.02, 0.2), d.number(0.02, 0.2)]),
        d.choice([0.0, d.number(0.05, 0.5), d.number(0.05, 0.5), d.number(0.05, 0.5)]),
    )
    return param, grad, m * (t > 1), v * (t > 1), t, *rates


def _expected_step(
    param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    given = {"theta_t_minus_1": param, "g_t": grad, "m_t_minus_1": m, "v_t_minus_1": v}
    numbers = dict(zip(("eta", "beta_1", "beta_2", "epsilon", "lambda_"), rates, strict=True))
    flat = {name: tensor.flatten() for name, tensor in given.items()}
    after = equations.get("adamw").evaluate_all(**flat, t=t, **numbers)
    theta, first, second = (after[name].reshape(param.shape) for name in ("theta_t", "m_t", "v_t"))
    return theta, first, second


ADAMW_STEP = Exercise(
    name="adamw_step",
    level=2,
    stage=_STAGE,
    task=Words(
        "One step of AdamW, with bias correction and decoupled weight decay.",
        "AdamW 的一步更新，含偏差修正与解耦的权重衰减。",
    ),
    arguments={
        "param": "(...) float32, θ",
        "grad": "as param, g",
        "m": "as param, first moment",
        "v": "as param, second moment, ≥ 0",
        "t": "int, number of the step, from 1",
        "lr": "float, η",
        "beta1": "float",
        "beta2": "float",
        "eps": "float, ε",
        "weight_decay": "float, λ",
    },
    result="(param, m, v) after the step, each as param",
    latex=r"m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \quad "
    r"\theta_t = \theta_{t-1} - \eta \left(\frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} "
    r"+ \lambda \theta_{t-1}\right)",
    equations=("adamw",),
    page="notebooks/03-loss-and-optimizers",
    term=r"\frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda \theta_{t-1}",
    draw=_draw_step,
    expected=_expected_step,
    misconceptions=ADAMW_STEP_MISTAKES,
    solutions=ADAMW_STEP_SOLUTIONS,
)


def _draw_gradients(d: ExerciseDraw) -> tuple[list[Tensor], float]:
    """Norms below and above the limit, never close to it."""
    gradients = [d.normal(*_shape(d)) for _ in range(d.size(1, 4))]
    while not any(g.any() for g in gradients):  # small whole numbers may all be 0, which have no direction
        gradients = [d.normal(*g.shape) for g in gradients]
    norm = sum(g.double().square().sum().item() for g in gradients) ** 0.5
    return gradients, norm * d.choice([*[d.number(0.2, 0.9)] * 3, *[d.number(1.1, 3)] * 2])


def _expected_gradients(gradients: list[Tensor], max_norm: float) -> list[np.ndarray]:
    """Each gradient is a row of the equation, filled up with zeros, which no norm notices."""
    rows = torch.nn.utils.rnn.pad_sequence([g.flatten() for g in gradients], batch_first=True)
    clipped = equations.get("clip-by-norm").evaluate(g=rows, c=max_norm)
    return [row[: g.numel()].reshape(g.shape) for row, g in zip(clipped, gradients, strict=True)]


CLIP_GRADIENTS = Exercise(
    name="clip_gradients",
    level=1,
    stage=_STAGE,
    task=Words("Clip gradients by their global norm.", "按全局范数裁剪梯度。"),
    arguments={"gradients": "list of K float32 tensors", "max_norm": "float, c"},
    result="list of K, the shapes of gradients",
    latex=r"N = \sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2}, \quad g'_k = g_k \min\left(1, \frac{c}{N}\right)",
    equations=("clip-by-norm",),
    page="notebooks/08-training-strategy",
    term=r"\sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2}",
    draw=_draw_gradients,
    expected=_expected_gradients,
    misconceptions=CLIP_GRADIENTS_MISTAKES,
    solutions=CLIP_GRADIENTS_SOLUTIONS,
)


def _draw_schedule(d: ExerciseDraw) -> tuple[int, float, float, int, int]:
    """All three branches, and the steps at which they meet."""
    warmup = d.choice([1, d.integer(2, 6), d.integer(2, 6), d.integer(2, 6)])
    total = warmup + d.integer(3, 12)
    rising, beyond = d.integer(1, max(1, warmup - 1)), d.integer(total + 1, total + 6)
    falling = max(d.integer(warmup + 1, total - 1), d.integer(warmup + 1, total - 1))  # rather late, near the floor
    step = d.choice([*[rising, falling, beyond] * 3, d.choice([0, warmup, total])])
    return step, d.number(0.6, 1.5), d.number(0.2, 0.5), warmup, total


def _expected_rate(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> np.ndarray:
    return equations.get("warmup-cosine").evaluate(t=step, eta_max=max_lr, eta_min=min_lr, W=warmup, S=total)


LEARNING_RATE_SCHEDULE = Exercise(
    name="learning_rate",
    level=1,
    stage=_STAGE,
    task=Words(
        "The learning rate of a step: linear warm-up, then half a cosine down to the final rate.",
        "某一步的学习率：先线性预热，再沿半个余弦下降到最低学习率。",
    ),
    arguments={
        "step": "int, t",
        "max_lr": "float",
        "min_lr": "float, > 0",
        "warmup": "int, W ≥ 1",
        "total": "int, S > W",
    },
    result="()",
    latex=r"\eta(t) = \begin{cases} \eta_{\max} \frac{t}{W} & \text{if } t \le W \\ "
    r"\eta_{\min} + \frac{1}{2} (\eta_{\max} - \eta_{\min}) "
    r"\left(1 + \cos\left(\pi \frac{t - W}{S - W}\right)\right) & \text{if } t < S \\ "
    r"\eta_{\min} & \text{otherwise} \end{cases}",
    equations=("warmup-cosine",),
    page="notebooks/08-training-strategy",
    term=r"\cos\left(\pi \frac{t - W}{S - W}\right)",
    draw=_draw_schedule,
    expected=_expected_rate,
    misconceptions=LEARNING_RATE_MISTAKES,
    solutions=LEARNING_RATE_SOLUTIONS,
)

EXERCISES = (ADAMW_STEP, CLIP_GRADIENTS, LEARNING_RATE_SCHEDULE)
