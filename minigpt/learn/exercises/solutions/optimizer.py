"""Right answers to the exercises of the optimizer.

Dimensions: K gradients; W warm-up steps, S steps in all.
"""

import math

import numpy as np
import torch
from torch import Tensor


def _adamw_as_written(
    param: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[Tensor, Tensor, Tensor]:
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return param - lr * (m_hat / (v_hat.sqrt() + eps) + weight_decay * param), m, v


def _adamw_of_torch(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> tuple[Tensor, ...]:
    lr, beta1, beta2, eps, weight_decay = rates
    theta = torch.nn.Parameter(param.clone())
    theta.grad = grad.clone()
    optimizer = torch.optim.AdamW([theta], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)
    optimizer.state[theta] = {"step": torch.tensor(float(t - 1)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    optimizer.step()
    state = optimizer.state[theta]
    return theta.detach(), state["exp_avg"], state["exp_avg_sq"]


def _adamw_with_lerp(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> tuple[Tensor, ...]:
    lr, beta1, beta2, eps, weight_decay = rates
    m, v = m.lerp(grad, 1 - beta1), v.lerp(grad * grad, 1 - beta2)
    decayed = param * (1 - lr * weight_decay)
    return decayed.addcdiv(m, (v / (1 - beta2**t)).sqrt() + eps, value=-lr / (1 - beta1**t)), m, v


def _adamw_with_loops(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> list[Tensor]:
    lr, beta1, beta2, eps, weight_decay = rates
    numbers = zip(*(tensor.flatten().tolist() for tensor in (param, grad, m, v)), strict=True)
    after = []
    for theta, g, first, second in numbers:
        first, second = beta1 * first + (1 - beta1) * g, beta2 * second + (1 - beta2) * g * g
        step = first / (1 - beta1**t) / (math.sqrt(second / (1 - beta2**t)) + eps)
        after.append([theta - lr * (step + weight_decay * theta), first, second])
    return [torch.tensor(column).reshape(param.shape) for column in zip(*after, strict=True)]


def _adamw_with_numpy(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> tuple:
    lr, beta1, beta2, eps, weight_decay = rates
    theta, g, first, second = (tensor.double().numpy() for tensor in (param, grad, m, v))
    first, second = beta1 * first + (1 - beta1) * g, beta2 * second + (1 - beta2) * np.square(g)
    step = first / (1 - beta1**t) / (np.sqrt(second / (1 - beta2**t)) + eps)
    return theta - lr * step - lr * weight_decay * theta, first, second


ADAMW_STEP_SOLUTIONS = (
    _adamw_as_written,
    _adamw_of_torch,
    _adamw_with_lerp,
    _adamw_with_loops,
    _adamw_with_numpy,
)


def _clip_as_written(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    factor = (max_norm / norm).clamp(max=1)
    return [g * factor for g in gradients]


def _clip_of_torch(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, g in zip(parameters, gradients, strict=True):
        parameter.grad = g.clone()
    torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _clip_with_one_vector(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    norm = torch.linalg.vector_norm(torch.cat([g.reshape(-1) for g in gradients]))
    return gradients if norm <= max_norm else [g * max_norm / norm for g in gradients]


def _clip_with_loops(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    total = 0.0
    for g in gradients:
        for number in g.flatten().tolist():
            total += number * number
    return [g * min(1.0, max_norm / math.sqrt(total)) for g in gradients]


def _clip_with_numpy(gradients: list[Tensor], max_norm: float) -> list[np.ndarray]:
    arrays = [g.double().numpy() for g in gradients]
    norm = np.sqrt(sum(np.vdot(g, g) for g in arrays))
    return [g * np.minimum(1, max_norm / norm) for g in arrays]


CLIP_GRADIENTS_SOLUTIONS = (
    _clip_as_written,
    _clip_of_torch,
    _clip_with_one_vector,
    _clip_with_loops,
    _clip_with_numpy,
)


def _rate_as_written(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup:
        return max_lr * step / warmup
    if step >= total:
        return min_lr
    progress = (step - warmup) / (total - warmup)
    return min_lr + 0.5 * (max_lr - min_lr) * (1 + math.cos(math.pi * progress))


def _rate_with_clamped_progress(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> Tensor:
    progress = torch.tensor((step - warmup) / (total - warmup), dtype=torch.float64).clamp(0, 1)
    decay = (1 + torch.cos(torch.pi * progress)) / 2
    return min(1.0, step / warmup) * (min_lr + (max_lr - min_lr) * decay)


def _rate_by_the_half_angle(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup:
        return max_lr * step / warmup
    angle = math.pi / 2 * (min(step, total) - warmup) / (total - warmup)
    return max_lr * math.cos(angle) ** 2 + min_lr * math.sin(angle) ** 2


def _rate_with_numpy(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> np.ndarray:
    cosine = (1 + np.cos(np.pi * (step - warmup) / (total - warmup))) / 2
    branches = [max_lr * step / warmup, min_lr + (max_lr - min_lr) * cosine]
    return np.select([np.array(step <= warmup), np.array(step < total)], branches, min_lr)


LEARNING_RATE_SOLUTIONS = (
    _rate_as_written,
    _rate_with_clamped_progress,
    _rate_by_the_half_angle,
    _rate_with_numpy,
)
