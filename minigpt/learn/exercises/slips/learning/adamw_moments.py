"""Mistakes with the moments of AdamW and their bias correction.

Each slip takes the ten arguments of the exercise: ``param, grad, m, v`` of one shape, the number of the step, and five
rates.
"""

from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("adamw_step")
ParameterAndMoments = tuple[Tensor, Tensor, Tensor]


def new_moments(grad: Tensor, m: Tensor, v: Tensor, beta1: float, beta2: float) -> tuple[Tensor, Tensor]:
    """Both moments after the gradient."""
    return beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2


def new_parameter(param: Tensor, m_hat: Tensor, v_hat: Tensor, lr: float, eps: float, decay: float) -> Tensor:
    """The parameter after a step made of these moments."""
    return param - lr * (m_hat / (v_hat.sqrt() + eps) + decay * param)


@_mistake(
    "no-bias-correction",
    "missing",
    "The bias correction is missing: m and v start at 0 and are too small in the first steps. Each is divided by "
    "1 − β^t before it is used.",
    "缺少偏差修正：m 与 v 从 0 开始，最初几步偏小。使用之前要分别除以 1 − β^t。",
)
def _uncorrected(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m, v, lr, eps, decay), m, v


@_mistake(
    "second-moment-uncorrected",
    "missing",
    "You corrected the bias of the first moment only. The second moment also starts at 0 and is divided by 1 − β₂^t "
    "under the root.",
    "只对一阶矩做了偏差修正。二阶矩同样从 0 开始，在开方之前也要除以 1 − β₂^t。",
)
def _half_corrected(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v, lr, eps, decay), m, v


@_mistake(
    "first-moment-uncorrected",
    "missing",
    "You corrected the bias of the second moment only. The first moment starts at 0 as well and is divided by "
    "1 − β₁^t, or the first steps are far too short.",
    "只对二阶矩做了偏差修正。一阶矩同样从 0 开始，也要除以 1 − β₁^t，否则最初几步太小。",
)
def _second_corrected(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m, v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "corrected-moments-kept",
    "wrong-operand",
    "The parameter is right, but the moments that you return are the corrected ones. The correction serves this step "
    "alone; what is kept for the next step is m and v before the division.",
    "参数是对的，但返回的矩是修正后的值。修正只用于当前这一步，留给下一步的是除以 1 − β^t 之前的 m 和 v。",
)
def _kept(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return new_parameter(param, m_hat, v_hat, lr, eps, decay), m_hat, v_hat


@_mistake(
    "gradient-not-squared",
    "missing",
    "Your second moment averages the gradient, not its square, so it can be negative and its root is NaN. It averages "
    "g².",
    "二阶矩平均的是梯度本身而不是它的平方，可能为负，开方得到 NaN。应当平均 g²。",
)
def _not_squared(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "whole-gradient-added",
    "missing",
    "You added the whole gradient to both moments, as momentum does. They are moving averages: the new term has the "
    "weight 1 − β.",
    "像动量法那样把整个梯度加到了两个矩上。它们是滑动平均，新加入的一项权重为 1 − β。",
)
def _whole_gradient(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = beta1 * m + grad, beta2 * v + grad**2
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "weights-exchanged",
    "order",
    "You exchanged the weights of old and new: the old moments got 1 − β and the new gradient β. β close to 1 means "
    "that the average remembers for long.",
    "新旧两项的权重互换了：旧的矩乘了 1 − β，新的梯度乘了 β。β 接近 1 表示平均值记得更久。",
)
def _exchanged(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, 1 - beta1, 1 - beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "old-moments-used",
    "shift",
    "The step uses the moments from before this gradient. Update m and v first; the step is made of the new ones.",
    "更新参数时用的是这次梯度之前的旧矩。应先更新 m 与 v，再用新的值计算这一步。",
)
def _old_moments(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    new = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), *new


@_mistake(
    "step-number-from-zero",
    "shift",
    "Your bias correction is one step ahead: it uses the power t + 1. t already counts from 1, so the first step "
    "divides by 1 − β.",
    "偏差修正多算了一步，用的是 t + 1 次幂。t 已经从 1 开始计数，第一步应除以 1 − β。",
)
def _t_plus_one(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1)), lr, eps, decay), m, v


@_mistake(
    "betas-exchanged",
    "order",
    "You exchanged β₁ and β₂: the gradient is averaged with β₂ and its square with β₁. β₁ belongs to the first moment "
    "and β₂ to the second.",
    "β₁ 与 β₂ 用反了：梯度用 β₂ 平均，梯度的平方用 β₁ 平均。β₁ 属于一阶矩，β₂ 属于二阶矩。",
)
def _betas(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta2, beta1)
    return new_parameter(param, m / (1 - beta2**t), v / (1 - beta1**t), lr, eps, decay), m, v


@_mistake(
    "correction-one-behind",
    "shift",
    "Your bias correction is one step behind: it uses the power t − 1, which divides by 0 at the first step. The first "
    "step has t = 1 and divides by 1 − β.",
    "偏差修正少算了一步，用的是 t − 1 次幂，第一步会除以 0。第一步的 t 就是 1，应除以 1 − β。",
)
def _t_minus_one(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1 ** (t - 1)), v / (1 - beta2 ** (t - 1)), lr, eps, decay), m, v


@_mistake(
    "correction-without-power",
    "missing",
    "You divided by 1 − β, without the power t, at every step. The correction fades as t grows, because β^t goes to 0.",
    "每一步都除以 1 − β，没有取 t 次幂。随着 t 增大 β^t 趋于 0，修正会逐渐消失。",
)
def _no_power(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1), v / (1 - beta2), lr, eps, decay), m, v


ADAMW_MOMENTS_MISTAKES = tuple(_mistake.found)
