"""The learning rate as a pure function of the step: it rises in the warm-up, then each schedule goes its own way.

Dimensions: t the update, counted from 1; W warm-up steps; S steps in all; C steps of the decay.
"""

import math
from collections.abc import Callable

from minigpt.equations import equation

SYMBOLS = {
    r"\eta_{\max}": "() peak",
    r"\eta_{\min}": "() final rate",
    "t": "() the update, from 1",
    "W": "() warm-up steps",
    "S": "() steps in all",
}
WARMUP = "warm-up: Goyal et al. 2017, arXiv:1706.02677, section 2.2"


@equation(
    "warmup-constant",
    r"""\eta(t) = \begin{cases}
    \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
    \eta_{\max} & \text{otherwise} \end{cases}""",
    symbols={name: SYMBOLS[name] for name in (r"\eta_{\max}", "t", "W")},
    source=WARMUP,
)
def warmup_constant(t: int, *, peak: float, final: float | None = None, warmup_steps: int, steps: int = 0) -> float:
    r"""The learning rate $\eta(t)$ of update t: after the warm-up it stays.

    Args:
        t: the update, from 1.
        peak: $\eta_{\max}$, reached at ``t = warmup_steps``.
        final: not used; every schedule takes the same arguments.
        warmup_steps: W, 0 for no warm-up.
        steps: not used.
    """
    return peak * t / warmup_steps if t <= warmup_steps else peak


@equation(
    "warmup-cosine",
    r"""\eta(t) = \begin{cases}
    \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
    \eta_{\min} + \frac{1}{2} (\eta_{\max} - \eta_{\min}) \left(1 + \cos\left(\pi \frac{t - W}{S - W}\right)\right)
    & \text{if } t < S \\
    \eta_{\min} & \text{otherwise} \end{cases}""",
    symbols=SYMBOLS,
    source=f"Loshchilov & Hutter 2017, arXiv:1608.03983, Eq. 5; {WARMUP}",
)
def warmup_cosine(t: int, *, peak: float, final: float, warmup_steps: int, steps: int) -> float:
    r"""The learning rate $\eta(t)$ of update t: after the warm-up it falls by half a cosine.

    Args:
        t: the update, 1 … ``steps``; beyond ``steps`` the rate stays at ``final``.
        peak: $\eta_{\max}$, reached at ``t = warmup_steps``.
        final: $\eta_{\min}$, reached at ``t = steps``.
        warmup_steps: W, 0 for no warm-up.
        steps: S.
    """
    if t <= warmup_steps:
        return peak * t / warmup_steps
    if t >= steps:
        return final
    progress = (t - warmup_steps) / (steps - warmup_steps)
    return final + (peak - final) / 2 * (1 + math.cos(math.pi * progress))


@equation(
    "warmup-linear",
    r"""\eta(t) = \begin{cases}
    \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
    \eta_{\max} - (\eta_{\max} - \eta_{\min}) \frac{t - W}{S - W} & \text{if } t < S \\
    \eta_{\min} & \text{otherwise} \end{cases}""",
    symbols=SYMBOLS,
    source=f"Devlin et al. 2019, arXiv:1810.04805, appendix A.2; {WARMUP}",
)
def warmup_linear(t: int, *, peak: float, final: float, warmup_steps: int, steps: int) -> float:
    r"""The learning rate $\eta(t)$ of update t: after the warm-up it falls in a straight line.

    Args:
        t: the update, 1 … ``steps``; beyond ``steps`` the rate stays at ``final``.
        peak: $\eta_{\max}$, reached at ``t = warmup_steps``.
        final: $\eta_{\min}$, reached at ``t = steps``.
        warmup_steps: W, 0 for no warm-up.
        steps: S.
    """
    if t <= warmup_steps:
        return peak * t / warmup_steps
    if t >= steps:
        return final
    return peak - (peak - final) * (t - warmup_steps) / (steps - warmup_steps)


@equation(
    "warmup-stable-decay",
    r"""\eta(t) = \begin{cases}
    \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
    \eta_{\max} & \text{if } t \le S - C \\
    \eta_{\min} + (\eta_{\max} - \eta_{\min}) \frac{S - t}{C} & \text{if } t < S \\
    \eta_{\min} & \text{otherwise} \end{cases}""",
    symbols=SYMBOLS | {"C": "() steps of the decay"},
    source=f"Hu et al. 2024, arXiv:2404.06395; a linear decay as in Hägele et al. 2024, arXiv:2405.18392; {WARMUP}",
)
def warmup_stable_decay(
    t: int, *, peak: float, final: float, warmup_steps: int, steps: int, decay_steps: int | None = None
) -> float:
    r"""The learning rate $\eta(t)$ of update t: after the warm-up it stays, and falls in a straight line at the end.

    Until the decay nothing depends on ``steps``, so a run can be made longer from a checkpoint before it.

    Args:
        t: the update, 1 … ``steps``; beyond ``steps`` the rate stays at ``final``.
        peak: $\eta_{\max}$, reached at ``t = warmup_steps``.
        final: $\eta_{\min}$, reached at ``t = steps``.
        warmup_steps: W, 0 for no warm-up.
        steps: S.
        decay_steps: C, at most S - W; ``None`` means a fifth of S, or what the warm-up leaves of it.
    """
    decay_steps = min(-(-steps // 5), steps - warmup_steps) if decay_steps is None else decay_steps
    if t <= warmup_steps:
        return peak * t / warmup_steps
    if t <= steps - decay_steps:
        return peak
    return final + (peak - final) * (steps - t) / decay_steps if t < steps else final


#: The learning-rate schedules, by the name that ``TrainConfig.schedule`` has for them.
SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": warmup_constant,
    "cosine": warmup_cosine,
    "linear": warmup_linear,
    "wsd": warmup_stable_decay,
}
