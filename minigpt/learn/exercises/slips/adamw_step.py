"""Mistakes with one step of AdamW.

Each slip takes the ten arguments of the exercise: ``param, grad, m, v`` of one shape, the number of the step, and five
rates. Slips that differ in one place share :func:`_step`, whose arguments are what the step is made of.
"""

from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("adamw_step")
_State = tuple[Tensor, Tensor, Tensor]


def _moments(grad: Tensor, m: Tensor, v: Tensor, beta1: float, beta2: float) -> tuple[Tensor, Tensor]:
    return beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2


def _step(param: Tensor, m_hat: Tensor, v_hat: Tensor, lr: float, eps: float, decay: float) -> Tensor:
    return param - lr * (m_hat / (v_hat.sqrt() + eps) + decay * param)


@_mistake(
    "no-bias-correction",
    "missing",
    "The bias correction is missing: m and v start at 0 and are too small in the first steps. Each is divided by "
    "1 − β^t before it is used.",
    "缺少偏差修正：m 与 v 从 0 开始，最初几步偏小。使用之前要分别除以 1 − β^t。",
)
def _uncorrected(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m, v, lr, eps, decay), m, v


@_mistake(
    "second-moment-uncorrected",
    "missing",
    "You corrected the bias of the first moment only. The second moment also starts at 0 and is divided by 1 − β₂^t "
    "under the root.",
    "只对一阶矩做了偏差修正。二阶矩同样从 0 开始，在开方之前也要除以 1 − β₂^t。",
)
def _half_corrected(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v, lr, eps, decay), m, v


@_mistake(
    "corrected-moments-kept",
    "wrong-operand",
    "The parameter is right, but the moments that you return are the corrected ones. The correction serves this step "
    "alone; what is kept for the next step is m and v before the division.",
    "参数是对的，但返回的矩是修正后的值。修正只用于当前这一步，留给下一步的是除以 1 − β^t 之前的 m 和 v。",
)
def _kept(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return _step(param, m_hat, v_hat, lr, eps, decay), m_hat, v_hat


@_mistake(
    "coupled-decay",
    "order",
    "You added λθ to the gradient, as Adam with an L2 penalty does, so the decay goes through both moments. AdamW "
    "decouples it: λθ is added to the step itself, after the division by the root.",
    "把 λθ 加进了梯度（即带 L2 惩罚的 Adam），衰减于是混入了两个矩。"
    "AdamW 将其解耦：λθ 在除以平方根之后直接加到更新量上。",
)
def _coupled(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad + decay * param, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0), m, v


@_mistake(
    "no-decay",
    "missing",
    "This is Adam: the weight decay λ has no effect. AdamW adds λθ to the step, so that every weight shrinks a little.",
    "这是 Adam：权重衰减 λ 没有起作用。AdamW 在更新量中加上 λθ，使每个权重略微缩小。",
)
def _no_decay(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, _ = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0), m, v


@_mistake(
    "decay-without-rate",
    "missing",
    "You subtracted λθ without the learning rate. The decay is inside the parentheses and is multiplied by η like "
    "the rest of the step.",
    "减去 λθ 时没有乘学习率。衰减项在括号之内，与更新量的其余部分一样要乘 η。",
)
def _without_rate(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0) - decay * param, m, v


@_mistake(
    "decay-after-the-step",
    "order",
    "You decayed the parameter after its step, so the decay also shrinks the step. It is taken from the old θ, the one "
    "before the update.",
    "先更新参数，再对更新后的参数做衰减，连这一步的更新量也被缩小了。衰减应基于更新之前的 θ。",
)
def _decay_after(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, 0) * (1 - lr * decay), m, v


@_mistake(
    "epsilon-inside",
    "order",
    "You added ε under the square root. Here it is added outside, to the root of the corrected second moment.",
    "把 ε 加在了根号里面。这里应加在根号外面，即加到修正后二阶矩的平方根上。",
)
def _eps_inside(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t) + eps, lr, 0, decay), m, v


@_mistake(
    "epsilon-before-the-correction",
    "order",
    "You added ε to the root of v before its bias was corrected, so the correction scales ε as well. Correct v first, "
    "take the root, and then add ε.",
    "在 v 做偏差修正之前就把 ε 加到了它的平方根上，修正时 ε 也被缩放了。应先修正 v，再开方，最后加 ε。",
)
def _eps_early(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    root = (v.sqrt() + eps) / (1 - beta2**t) ** 0.5
    return param - lr * (m / (1 - beta1**t) / root + decay * param), m, v


@_mistake(
    "no-root",
    "missing",
    "You divided by the second moment itself. The step divides by its square root, which has the unit of a gradient.",
    "直接除以了二阶矩本身。更新量应除以它的平方根，平方根才与梯度同量纲。",
)
def _no_root(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), (v / (1 - beta2**t)) ** 2, lr, eps, decay), m, v


@_mistake(
    "gradient-not-squared",
    "missing",
    "Your second moment averages the gradient, not its square, so it can be negative and its root is NaN. It averages "
    "g².",
    "二阶矩平均的是梯度本身而不是它的平方，可能为负，开方得到 NaN。应当平均 g²。",
)
def _not_squared(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "whole-gradient-added",
    "missing",
    "You added the whole gradient to both moments, as momentum does. They are moving averages: the new term has the "
    "weight 1 − β.",
    "像动量法那样把整个梯度加到了两个矩上。它们是滑动平均，新加入的一项权重为 1 − β。",
)
def _whole_gradient(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = beta1 * m + grad, beta2 * v + grad**2
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "weights-exchanged",
    "order",
    "You exchanged the weights of old and new: the old moments got 1 − β and the new gradient β. β close to 1 means "
    "that the average remembers for long.",
    "新旧两项的权重互换了：旧的矩乘了 1 − β，新的梯度乘了 β。β 接近 1 表示平均值记得更久。",
)
def _exchanged(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, 1 - beta1, 1 - beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), m, v


@_mistake(
    "old-moments-used",
    "shift",
    "The step uses the moments from before this gradient. Update m and v first; the step is made of the new ones.",
    "更新参数时用的是这次梯度之前的旧矩。应先更新 m 与 v，再用新的值计算这一步。",
)
def _old_moments(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    new = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), lr, eps, decay), *new


@_mistake(
    "step-number-from-zero",
    "shift",
    "Your bias correction is one step ahead: it uses the power t + 1. t already counts from 1, so the first step "
    "divides by 1 − β.",
    "偏差修正多算了一步，用的是 t + 1 次幂。t 已经从 1 开始计数，第一步应除以 1 − β。",
)
def _t_plus_one(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1)), lr, eps, decay), m, v


@_mistake(
    "uphill",
    "sign",
    "You added the step to θ and moved uphill. The whole parentheses, decay included, are subtracted.",
    "把更新量加到了 θ 上，参数朝着上坡方向移动。整个括号（包括衰减项）都应当减去。",
)
def _uphill(param: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> _State:
    lr, beta1, beta2, eps, decay = rates
    m, v = _moments(grad, m, v, beta1, beta2)
    return _step(param, m / (1 - beta1**t), v / (1 - beta2**t), -lr, eps, decay), m, v


ADAMW_STEP_MISTAKES = tuple(_mistake.found)
