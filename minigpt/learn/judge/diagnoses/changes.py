"""The changes of one argument that a diagnosis tries, by what the argument is: mask, tensor, ids, number or list."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from minigpt.learn.exercises.exercise import Words

#: A change of one argument: id, kind, what it is in words, and how it is made.
Change = tuple[str, str, Words, Callable[[Any], Any]]


def change(id: str, kind: str, en: str, zh: str, make: Callable[[Any], Any]) -> Change:
    """A change with its words, in which ``{}`` is the argument's name."""
    return id, kind, Words(en, zh), make


def fixed(number: str) -> Change:
    """A number in the place of an argument."""
    return change(
        "fixed-number", "wrong-operand", f"with {{}} = {number}", f"取 {{}} = {number} ", lambda x: float(number)
    )


def swapped_axes(x: Any) -> Any:
    """The transpose of a matrix."""
    return x.transpose(-1, -2)


def reshaped_to_transpose(x: Any) -> Any:
    """A matrix whose transpose has the numbers of the first one, counted off anew."""
    return x.reshape(*x.shape[:-2], x.shape[-1], x.shape[-2]).transpose(-1, -2)


MASKS = (
    change("inverted-mask", "mask", "with {} inverted, True for what may not be seen", "把 {} 取反", lambda m: ~m),
    change("ignored-mask", "mask", "without {}: every position sees all", "不使用 {} ", torch.ones_like),
    change("transposed-argument", "transposed", "with {} transposed", "把 {} 转置", swapped_axes),
)
TENSORS = (
    change("zero-argument", "missing", "with 0 in the place of {}: it is left out", "把 {} 换成 0 ", torch.zeros_like),
    change("one-argument", "missing", "with 1 in the place of {}: it is left out", "把 {} 换成 1 ", torch.ones_like),
    change("negated-argument", "sign", "with -{0} in the place of {0}", "把 {} 变号", torch.neg),
    change("transposed-argument", "transposed", "with {} transposed", "把 {} 转置", swapped_axes),
    change("reshaped-argument", "layout", "with {} reshaped where it should be transposed",
           "把 {} 变形（reshape）而不是转置", reshaped_to_transpose),
    change("reversed-argument", "order", "with {} reversed along its last axis", "把 {} 沿最后一个轴倒序",
           lambda x: x.flip(-1)),
    change("reversed-argument", "order", "with {} reversed along its first axis", "把 {} 沿第一个轴倒序",
           lambda x: x.flip(0)),
    change("moved-argument", "shift", "with {} moved by one place", "把 {} 移动一位", lambda x: x.roll(1, 0)),
    change("moved-argument", "shift", "with {} moved back by one place", "把 {} 反向移动一位", lambda x: x.roll(-1, 0)),
    change("first-missing", "border", "without the first entry of {}", "去掉 {} 的第一项", lambda x: x[1:]),
    change("last-missing", "border", "without the last entry of {}", "去掉 {} 的最后一项", lambda x: x[:-1]),
    change("scaled-argument", "scale", "with 2 {0} in the place of {0}", "把 {} 乘以 2 ",
           lambda x: 2 * x),
    change("scaled-argument", "scale", "with {0} / 2 in the place of {0}", "把 {} 除以 2 ",
           lambda x: x / 2),
    change("scaled-argument", "scale", "when {} is multiplied by ln 2", "把 {} 乘以 ln 2 ", lambda x: x * np.log(2)),
    change("scaled-argument", "scale", "when {} is divided by ln 2", "把 {} 除以 ln 2 ", lambda x: x / np.log(2)),
    change("squared-argument", "extra", "when {} is squared", "把 {} 平方", torch.square),
    change("root-of-argument", "extra", "with the square root of {}", "对 {} 开平方", torch.sqrt),
    change("magnitudes", "sign", "with |{}|, without its signs", "对 {} 取绝对值", torch.abs),
    change("softmax-of-argument", "extra", "with softmax({0}) in the place of {0}", "多对 {} 做一次 softmax ",
           lambda x: torch.softmax(x, -1)),
    change("exponential-of-argument", "extra", "with exp({})", "对 {} 取指数", torch.exp),
    change("centred-argument", "extra", "with {} minus its mean", "先把 {} 减去均值", lambda x: x - x.mean(-1, True)),
)  # fmt: skip
FLOATS = (
    change("zero-argument", "missing", "with {} = 0: it is left out", "取 {} = 0 ", lambda x: 0.0),
    change("one-argument", "wrong-operand", "with {} = 1", "取 {} = 1 ", lambda x: 1.0),
    *map(fixed, ("10000", "0.9", "0.999", "1e-05", "1e-08", "0.1", "0.01", "0.5", "2")),
    change("complement-argument", "wrong-operand", "with 1 - {0} in the place of {0}",
           "用 1 - {0} 代替 {0} ", lambda x: 1 - x),
    change("inverse-argument", "sign", "with 1 / {0} in the place of {0}",
           "用 1 / {0} 代替 {0} ", lambda x: 1 / x),
    change("negated-argument", "sign", "with -{0} in the place of {0}", "把 {} 变号", lambda x: -x),
    change("squared-argument", "scale", "when {} is squared", "把 {} 平方", lambda x: x * x),
    change("root-of-argument", "scale", "with the square root of {}", "对 {} 开平方", lambda x: x**0.5),
    change("scaled-argument", "scale", "with 2 {0} in the place of {0}", "把 {} 乘以 2 ",
           lambda x: 2 * x),
    change("scaled-argument", "scale", "with {0} / 2 in the place of {0}", "把 {} 除以 2 ",
           lambda x: x / 2),
)  # fmt: skip
INTS = (
    change("off-by-one", "shift", "with {0} + 1 in the place of {0}", "用 {0} + 1 代替 {0} ",
           lambda n: n + 1),
    change("off-by-one", "shift", "with {0} - 1 in the place of {0}", "用 {0} - 1 代替 {0} ",
           lambda n: n - 1),
    change("one-argument", "missing", "with {} = 1", "取 {} = 1 ", lambda n: 1),
    change("zero-argument", "missing", "with {} = 0", "取 {} = 0 ", lambda n: 0),
    change("scaled-argument", "scale", "with 2 {0} in the place of {0}", "把 {} 乘以 2 ",
           lambda n: 2 * n),
)  # fmt: skip
IDS = (
    change("reversed-argument", "order", "with {} in the opposite order", "把 {} 倒序", lambda x: x.flip(-1)),
    change("moved-argument", "shift", "with {} moved by one place", "把 {} 移动一位", lambda x: x.roll(1, -1)),
    change("moved-argument", "shift", "with {} moved back by one place", "把 {} 反向移一位", lambda x: x.roll(-1, -1)),
    change("first-missing", "border", "without the first entry of {}", "去掉 {} 的第一项", lambda x: x[..., 1:]),
    change("last-missing", "border", "without the last entry of {}", "去掉 {} 的最后一项", lambda x: x[..., :-1]),
)
OF_LISTS = (
    change("reversed-argument", "order", "with {} in the opposite order", "把 {} 倒序", lambda x: x[::-1]),
    change("first-missing", "border", "without the first entry of {}", "去掉 {} 的第一项", lambda x: x[1:]),
    change("last-missing", "border", "without the last entry of {}", "去掉 {} 的最后一项", lambda x: x[:-1]),
    change("one-only", "missing", "with the first entry of {} alone", "只用 {} 的第一项", lambda x: x[:1]),
    change("one-only", "missing", "with the last entry of {} alone", "只用 {} 的最后一项", lambda x: x[-1:]),
    change("equal-entries", "missing", "with all entries of {} alike", "把 {} 各项视为相同", lambda x: [x[0]] * len(x)),
    change("empty-argument", "missing", "with an empty {}", "把 {} 视为空", lambda x: []),
)
