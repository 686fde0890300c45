"""What `equal` answers, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigpt.equations.board import number, plain_name
from minigpt.equations.errors import written
from minigpt.settings.language import folded

SAME, SAME_ZH = "Equal at {} random values of the symbols within 1e-9.", "在 {} 组随机取值上，两者在 1e-9 以内相等。"
DIFFERENT, DIFFERENT_ZH = "Not the same function: {}.", "不是同一个函数：{}。"


@dataclass(frozen=True, eq=False)
class Parting:
    """The values at which two formulas differ.

    Attributes:
        values: LaTeX name to value.
        index: of the first entry that differs, from 1; empty for a single number.
        first: the value of the first formula there.
        second: that of the second.
    """

    values: Mapping[str, Any]
    index: tuple[int, ...]
    first: float
    second: float

    def __str__(self) -> str:
        return self.text("en")

    def text(self, lang: str) -> str:
        """Where the two differ, and both values.

        Args:
            lang: "en" or "zh".
        """
        numbers = (f"{plain_name(name)} = {number(v)}" for name, v in self.values.items() if not callable(v))
        at = ("，" if lang == "zh" else ", ").join(numbers)
        first, second, index = number(self.first), number(self.second), written(self.index)
        if lang == "zh":
            entry = f"的第 {index} 个分量" if index else ""
            return f"当 {at} 时，" * bool(at) + f"第一个公式{entry}为 {first}，第二个公式{entry}为 {second}"
        entry = f"entry {index} of " if index else ""
        return f"at {at}, " * bool(at) + f"{entry}the first is {first} and {entry}the second {second}"


@dataclass(frozen=True, eq=False)
class Equality:
    """The answer of `equal`: truthy if the two formulas are the same function.

    Attributes:
        same: whether they are.
        n_draws: values at which both were compared.
        parting: the smallest values found at which they differ.
        reason: what else is different, such as the shape; empty if nothing is.
        note: what should be known about the answer.
        symbols: how many names have values.
        lang: "en" or "zh".
    """

    same: bool
    n_draws: int
    parting: Parting | None = None
    reason: str = ""
    note: str = ""
    symbols: int = 1
    lang: str = "en"

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        return folded(self._told())

    __repr__ = __str__

    def _told(self) -> str:
        known = self.reason or (self.parting.text(self.lang) if self.parting else "")
        if not self.same:
            return (DIFFERENT_ZH if self.lang == "zh" else DIFFERENT).format(known) + self.note
        if not self.symbols:
            return ("两个公式的值在 1e-9 以内相等。" if self.lang == "zh" else "Equal within 1e-9.") + self.note
        return (SAME_ZH if self.lang == "zh" else SAME).format(self.n_draws) + self.note


def two_shapes(a: np.ndarray, b: np.ndarray, n_axes: Sequence[int], *, zh: bool) -> str:
    """The reason why results of two shapes are not equal.

    Args:
        a: result of the first formula.
        b: that of the second.
        n_axes: how many indices each formula has.
        zh: whether in Chinese.
    """
    if zh:
        return f"两个结果的形状分别为 {a.shape} 和 {b.shape}"
    kinds = " and ".join(f"{n} {'index' if n == 1 else 'indices'}" for n in n_axes)
    return f"the shapes of the results are {a.shape} and {b.shape}" + f", with {kinds}" * (n_axes[0] != n_axes[1])


def where_defined(alone: Sequence[bool], *, zh: bool) -> str:
    """A note where one formula has values at which the other is not defined, or both have; nothing elsewhere.

    Args:
        alone: whether each formula is defined somewhere where the other is not.
        zh: whether in Chinese.
    """
    if not any(alone):
        return ""
    if all(alone):
        english = " Each is undefined at values where the other is defined."
        return "两个公式各在某些取值处没有定义，而另一个在那里有定义。" if zh else english
    if zh:
        return f"只有第{'一' if alone[0] else '二'}个公式处处有定义。"
    return f" Only the {'first' if alone[0] else 'second'} is defined everywhere."
