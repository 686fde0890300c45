"""Mistakes with the step of AdamW: its epsilon, its root, its sign and its weight decay.

Each slip takes the ten arguments of the exercise: ``param, grad, m, v`` of one shape, the number of the step, and five
rates.
"""

from torch import Tensor

from minigpt.learn.exercises.slips.learning.adamw_moments import (
    ADAMW_MOMENTS_MISTAKES,
    ParameterAndMoments,
    new_moments,
    new_parameter,
)
from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("adamw_step")


@_mistake(
    "coupled-decay",
    "order",
    "You added λθ to the gradient, as Adam with an L2 penalty does, so the decay goes through both moments. AdamW "
    "decouples it: λθ is added to the step itself, after the division by the root.",
    "把 λθ 加进了梯度（即带 L2 惩罚的 Adam），衰减于是混入了两个矩。"
    "AdamW 将其解耦：λθ 在除以平方根之后直接加到更新量上。",
)
def _coupled(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad + decay * param, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0), m, v


@_mistake(
    "no-decay",
    "missing",
    "This is Adam: the weight decay λ has no effect. AdamW adds λθ to the step, so that every weight shrinks a little.",
    "这是 Adam：权重衰减 λ 没有起作用。AdamW 在更新量中加上 λθ，使每个权重略微缩小。",
)
def _no_decay(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, _ = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0), m, v


@_mistake(
    "decay-without-rate",
    "missing",
    "You subtracted λθ without the learning rate. The decay is inside the parentheses and is multiplied by η like "
    "the rest of the step.",
    "减去 λθ 时没有乘学习率。衰减项在括号之内，与更新量的其余部分一样要乘 η。",
)
def _without_rate(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0) - decay * param, m, v


@_mistake(
    "decay-after-the-step",
    "order",
    "You decayed the parameter after its step, so the decay also shrinks the step. It is taken from the old θ, the one "
    "before the update.",
    "先更新参数，再对更新后的参数做衰减，连这一步的更新量也被缩小了。衰减应基于更新之前的 θ。",
)
def _decay_after(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0) * (1 - lr * decay), m, v


@_mistake(
    "epsilon-inside",
    "order",
    "You added ε under the square root. Here it is added outside, to the root of the corrected second moment.",
    "把 ε 加在了根号里面。这里应加在根号外面，即加到修正后二阶矩的平方根上。",
)
def _eps_inside(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t) + eps, lr, 0, decay), m, v


@_mistake(
    "epsilon-before-the-correction",
    "order",
    "You added ε to the root of v before its bias was corrected, so the correction scales ε as well. Correct v first, "
    "take the root, and then add ε.",
    "在 v 做偏差修正之前就把 ε 加到了它的平方根上，修正时 ε 也被缩放了。应先修正 v，再开方，最后加 ε。",
)
def _eps_early(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    root = (v.sqrt() + eps) / (1 - beta2**t) ** 0.5
    return param - lr * (m / (1 - beta1**t) / root + decay * param), m, v


@_mistake(
    "no-root",
    "missing",
    "You divided by the second moment itself. The step divides by its square root, which has the unit of a gradient.",
    "直接除以了二阶矩本身。更新量应除以它的平方根，平方根才与梯度同量纲。",
)
def _no_root(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), (v / (1 - beta2**t)) ** 2, lr, eps, decay), m, v


@_mistake(
    "uphill",
    "sign",
    "You added the step to θ and moved uphill. The whole parentheses, decay included, are subtracted.",
    "把更新量加到了 θ 上，参数朝着上坡方向移动。整个括号（包括衰减项）都应当减去。",
)
def _uphill(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> ParameterAndMoments:
    lr, beta1, beta2, eps, decay = rates
    m, v = new_moments(grad, m, v, beta1, beta2)
    return new_parameter(param, m / (1 - beta1**t), v / (1 - beta2**t), -lr, eps, decay), m, v


ADAMW_STEP_MISTAKES = (*ADAMW_MOMENTS_MISTAKES, *_mistake.found)
