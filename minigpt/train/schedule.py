r"""The learning rate as a pure function of the step: warm-up, then half a cosine.

$$\eta_t = \begin{cases}
\eta_{\max}\,\frac{t}{W} & t \le W \\
\eta_{\min} + \tfrac12(\eta_{\max} - \eta_{\min})\Big(1 + \cos\big(\pi\,\tfrac{t - W}{S - W}\big)\Big) & t > W
\end{cases}$$

Dimensions: t the update, counted from 1; W warm-up steps; S steps in all.
Source: cosine, Loshchilov & Hutter 2017, arXiv:1608.03983, Eq. 5 (one cycle); linear warm-up, Goyal et al. 2017,
arXiv:1706.02677, section 2.2.
"""

import math


def warmup_cosine(t: int, *, peak: float, final: float, warmup_steps: int, steps: int) -> float:
    r"""The learning rate $\eta_t$ of update t.

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
