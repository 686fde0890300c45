"""The right numbers at other positions, in another shape, or moved along an axis: diagnoses from the results alone."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.compare import Diagnosis, close
from minigpt.learn.judge.diagnoses.evidence import Pairs, flat

Transform = Callable[[np.ndarray], np.ndarray]


def fits(pairs: Pairs, transform: Transform) -> bool:
    """Whether a transform turns each right array into the one that was returned.

    Args:
        pairs: returned and right.
        transform: may raise where it can't be applied.
    """
    try:
        with np.errstate(all="ignore"):
            return all(close(got, transform(right.astype(np.float64))) for got, right in pairs)
    except (ValueError, IndexError, np.exceptions.AxisError):
        return False


def axis_words(axis: int) -> Words:
    """An axis, counted from the end, in words."""
    if axis == -1:
        return Words("last axis", "最后一个轴")
    if axis == -2:
        return Words("axis before the last", "倒数第二个轴")
    return Words(f"axis {axis}", f"轴 {axis}")


def said(id: str, kind: str, en: str, zh: str) -> Diagnosis:
    """A diagnosis with its text."""
    return Diagnosis(f"generic.{id}", kind, Words(en, zh))


def layouts(pairs: Pairs) -> Iterator[Diagnosis]:
    """The right numbers at other positions."""
    if fits(pairs, lambda a: np.swapaxes(a, -1, -2)):
        yield said(
            "transposed",
            "transposed",
            "The result is the transpose of the right one: its last two axes, rows and columns, are exchanged.",
            "结果是正确答案的转置：最后两个轴（行与列）互换了。",
        )
    for axis in (-1, -2, -3):
        name = axis_words(axis)
        if fits(pairs, partial(np.flip, axis=axis)):
            yield said(
                "reversed",
                "order",
                f"The right numbers are in the opposite order along the {name.en}.",
                f"数值正确，但沿{name.zh}的次序颠倒了。",
            )
        for step in (1, -1):
            if all(shifted(got, right, axis, step) for got, right in pairs):
                way, wei = ("late", "后") if step == 1 else ("early", "前")
                yield said(
                    "shifted",
                    "shift",
                    f"The right numbers come one position too {way} along the {name.en}: an index is off by one.",
                    f"沿{name.zh}，每个值都比公式要求的位置靠{wei}一位：下标差一。",
                )


def other_places(pairs: Pairs) -> Iterator[Diagnosis]:
    """The right numbers in any other order."""
    if all(g.shape == r.shape and close(np.sort(flat(g)), np.sort(flat(r))) for g, r in pairs):
        yield said(
            "layout",
            "layout",
            "All numbers are right, but they are at other positions than in the formula: their order is different.",
            "所有数值都正确，但位置与公式不同：排列次序不一样。",
        )


def shifted(got: np.ndarray, right: np.ndarray, axis: int, step: int) -> bool:
    """Whether one array is the other, moved along an axis by one place, whatever the border then holds."""
    if got.shape != right.shape or got.ndim < -axis or not got.size:
        return got.shape == right.shape and not got.size
    got, right = np.moveaxis(got, axis, 0), np.moveaxis(right, axis, 0)
    if len(got) == 1:
        return True
    if len(got) == 2 and close(got, right):
        return False
    return close(got[1:], right[:-1]) if step == 1 else close(got[:-1], right[1:])


def shapes(pairs: Pairs) -> Iterator[Diagnosis]:
    """Results of another shape that hold the right numbers, or more or fewer of them."""
    if all(g.shape == r.shape for g, r in pairs):
        return
    if all(g.size == r.size and close(flat(g), flat(r)) for g, r in pairs):
        yield said("reshaped", "layout", "The numbers are right, but the shape is not.", "数值正确，但形状不对。")
    for axis in range(-3, 3):
        for reduce, en, zh in ((np.sum, "summed", "求和"), (np.mean, "averaged", "取平均")):
            if all(g.ndim > r.ndim and reduced(g, reduce, axis, r) for g, r in pairs):
                yield said(
                    "not-reduced",
                    "missing",
                    f"The result is not {en} over axis {axis}: {en}, it is right.",
                    f"结果没有沿轴 {axis} {zh}：{zh}之后就是正确的。",
                )
            if all(g.ndim < r.ndim and reduced(r, reduce, axis, g) for g, r in pairs):
                yield said(
                    "reduced",
                    "extra",
                    f"The result is {en} over axis {axis}, where the formula keeps each value.",
                    f"结果沿轴 {axis} 多做了一次{zh}，而公式保留每一个值。",
                )


def reduced(array: np.ndarray, reduce: Callable[..., np.ndarray], axis: int, other: np.ndarray) -> bool:
    """Whether one array, reduced along an axis, is the other."""
    return -array.ndim <= axis < array.ndim and close(np.asarray(reduce(array, axis=axis)), other)
