"""Mistakes with the schedule of the learning rate.

Dimensions: W warm-up steps, S steps in all.
"""

import math

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("learning_rate")


def _cosine(progress: float, max_lr: float, min_lr: float) -> float:
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2


def _right(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup:
        return max_lr * step / warmup
    return _cosine((min(step, total) - warmup) / (total - warmup), max_lr, min_lr)


@_mistake(
    "no-warm-up",
    "missing",
    "There is no warm-up: the cosine starts at step 0. For the first W steps the rate rises in a straight line from 0 "
    "to its peak, and only then it falls.",
    "没有预热：从第 0 步就开始余弦下降。前 W 步学习率应从 0 线性升到峰值，之后才下降。",
)
def _no_warm_up(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    return _cosine(min(step, total) / total, max_lr, min_lr)


@_mistake(
    "warm-up-one-early",
    "shift",
    "The warm-up is one step early: you used (t + 1)/W. By this formula the rate is 0 at step 0 and reaches its peak "
    "at step W.",
    "预热提前了一步：用的是 (t + 1)/W。按公式，第 0 步的学习率为 0，第 W 步才达到峰值。",
)
def _one_early(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    return max_lr * (step + 1) / warmup if step < warmup else _right(step, max_lr, min_lr, warmup, total)


@_mistake(
    "warm-up-from-the-floor",
    "extra",
    "Your warm-up starts at the final rate η_min. It rises from 0, in proportion to the step: η_max · t/W.",
    "预热从最低学习率 η_min 开始。它应从 0 开始，与步数成正比：η_max · t/W。",
)
def _from_the_floor(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup:
        return min_lr + (max_lr - min_lr) * step / warmup
    return _right(step, max_lr, min_lr, warmup, total)


@_mistake(
    "warm-up-over-everything",
    "wrong-operand",
    "Your warm-up divides by S, all steps, so it is far from the peak when it ends. It divides by its own length W.",
    "预热时除以了总步数 S，结束时离峰值还很远。应当除以预热自身的步数 W。",
)
def _over_everything(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    return max_lr * step / total if step <= warmup else _right(step, max_lr, min_lr, warmup, total)


@_mistake(
    "progress-from-zero",
    "missing",
    "You measured the progress of the decay from step 0, as t/S, so the rate jumps when the warm-up ends. The decay "
    "begins after the warm-up: (t − W)/(S − W).",
    "下降的进度从第 0 步算起，用了 t/S，于是预热结束时学习率突然跳变。下降从预热之后开始：(t − W)/(S − W)。",
)
def _from_zero(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup:
        return max_lr * step / warmup
    return _cosine(min(step, total) / total, max_lr, min_lr)


@_mistake(
    "progress-over-everything",
    "wrong-operand",
    "You divided t − W by S, so the cosine has not come to its end at step S. The decay lasts S − W steps.",
    "t − W 除以的是 S，于是到第 S 步时余弦还没有走完。下降阶段共有 S − W 步，应当除以 S − W。",
)
def _over_total(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return _cosine((step - warmup) / total, max_lr, min_lr)


@_mistake(
    "progress-not-shifted",
    "missing",
    "You divided t by S − W without subtracting W from it, so the cosine starts in its middle. The progress is 0 at "
    "the end of the warm-up: t − W above, S − W below.",
    "分子直接用了 t，没有减去 W，就除以 S − W，于是余弦从中途开始。预热结束时进度应为 0：分子是 t − W，分母是 S − W。",
)
def _not_shifted(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return _cosine(step / (total - warmup), max_lr, min_lr)


@_mistake(
    "floor-as-a-limit",
    "wrong-operand",
    "Your cosine aims at 0 and is cut off at η_min, so the end of the curve is flat. The formula stretches the cosine "
    "between the two rates, and it meets η_min exactly at step S.",
    "余弦朝着 0 下降，低于 η_min 的部分被截平了。公式是把余弦拉伸到两个学习率之间，恰好在第 S 步到达 η_min。",
)
def _limited(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return max(min_lr, _cosine((step - warmup) / (total - warmup), max_lr, 0))


@_mistake(
    "falls-to-zero",
    "missing",
    "Your cosine falls to 0: η_min is missing in it. The rate moves between the peak and η_min, so η_min is added and "
    "subtracted from the height of the curve.",
    "余弦一直降到了 0：式中没有 η_min。学习率在峰值与 η_min 之间变化，应加上 η_min，并从曲线的高度中减去它。",
)
def _to_zero(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return _cosine((step - warmup) / (total - warmup), max_lr, 0)


@_mistake(
    "height-not-reduced",
    "wrong-operand",
    "You added η_min to a cosine of full height η_max, so the decay starts above the peak. The height of the curve is "
    "the difference η_max − η_min.",
    "在高度为 η_max 的余弦上又加了 η_min，于是下降从高于峰值处开始。曲线的高度应是差 η_max − η_min。",
)
def _height(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return min_lr + _cosine((step - warmup) / (total - warmup), max_lr, 0)


@_mistake(
    "no-half",
    "scale",
    "The factor ½ is missing: 1 + cos runs from 2 to 0, so your decay starts twice as high. Half of it runs from 1 to "
    "0.",
    "少了因子 ½：1 + cos 的取值从 2 到 0，于是下降的起点高了一倍。乘以 ½ 才是从 1 到 0。",
)
def _no_half(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


@_mistake(
    "straight-line",
    "wrong-operand",
    "Your rate falls in a straight line after the warm-up. The formula follows half a cosine: slow at first, fast in "
    "the middle, slow at the end.",
    "预热之后学习率沿直线下降。公式是半个余弦：开始慢，中间快，最后又慢。",
)
def _straight(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return max_lr - (max_lr - min_lr) * (step - warmup) / (total - warmup)


@_mistake(
    "rises-again",
    "border",
    "Beyond step S your cosine goes on and the rate rises again. From S on the rate stays at η_min.",
    "第 S 步之后余弦没有停下，学习率又升了上去。从第 S 步起，学习率应保持为 η_min。",
)
def _rises_again(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup:
        return max_lr * step / warmup
    return _cosine((step - warmup) / (total - warmup), max_lr, min_lr)


@_mistake(
    "zero-at-the-end",
    "border",
    "From step S on your rate is 0, so that training stands still. It stays at η_min.",
    "从第 S 步起学习率变成了 0，训练就停滞了。此后学习率应保持为 η_min。",
)
def _zero_at_end(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    return 0.0 if step >= total else _right(step, max_lr, min_lr, warmup, total)


@_mistake(
    "without-pi",
    "missing",
    "The cosine has no π: with an argument from 0 to 1 it hardly falls. Its argument runs from 0 to π.",
    "余弦里没有 π：自变量只从 0 到 1，几乎不下降。自变量应从 0 变到 π。",
)
def _without_pi(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return _cosine((step - warmup) / (total - warmup) / math.pi, max_lr, min_lr)


@_mistake(
    "upside-down",
    "sign",
    "Your curve is upside down: with 1 − cos the rate rises from η_min to the peak. With 1 + cos it falls.",
    "曲线上下颠倒了：用 1 − cos，学习率从 η_min 升到峰值。用 1 + cos 才是下降。",
)
def _upside_down(step: int, max_lr: float, min_lr: float, warmup: int, total: int) -> float:
    if step <= warmup or step >= total:
        return _right(step, max_lr, min_lr, warmup, total)
    return _cosine(1 - (step - warmup) / (total - warmup), max_lr, min_lr)


LEARNING_RATE_MISTAKES = tuple(_mistake.found)
