"""The learning rate as a pure function of the step: warm-up, then half a cosine.

Dimensions: t the update, counted from 1; W warm-up steps; S steps in all.
"""

import math

from minigpt.equations import equation


@equation(
    "warmup-cosine",
    r"""\eta(t) = \begin{cases}
    \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
    \eta_{\min} + \frac{1}{2} (\eta_{\max} - \eta_{\min}) \left(1 + \cos\left(\pi \frac{t - W}{S - W}\right)\right)
    & \text{if } t < S \\
    \eta_{\min} & \text{otherwise} \end{cases}""",
    symbols={
        r"\eta_{\max}": "() peak",
        r"\eta_{\min}": "() final rate",
        "t": "() the update, from 1",
        "W": "() warm-up steps",
        "S": "() steps in all",
    },
    source="Loshchilov & Hutter 2017, arXiv:1608.03983, Eq. 5; "
    "warm-up: Goyal et al. 2017, arXiv:1706.02677, section 2.2",
)
def warmup_cosine(t: int, *, peak: float, final: float, warmup_steps: int, steps: int) -> float:
    r"""The learning rate $\eta(t)$ of update t.

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
