"""What an exercise is: a function to write, the equation that decides, and the mistakes that others have made.

Dimensions: B batch, T query positions, S key positions, D width, H heads, E head width, V vocabulary, N rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minigpt.learn.exercises.draw import ExerciseDraw

#: What a learner hands in, and what a misconception is: a function.
Attempt = Callable[..., Any]


@dataclass(frozen=True)
class Words:
    """One text in both languages.

    Args:
        en: English.
        zh: Chinese.
    """

    en: str
    zh: str

    def __getitem__(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True)
class Misconception:
    """A classic mistake, as a function that makes it.

    Args:
        id: the name of the exercise, a dot, the mistake: ``softmax.first-axis``. It never changes.
        kind: what kind of mistake it is, one of `MISTAKE_KINDS`: what can still be said of an unknown one.
        says: what was understood differently, and what the formula means instead. One or two sentences without code.
        slip: an answer that makes the mistake; the arguments are those of the exercise.
    """

    id: str
    kind: str
    says: Words
    slip: Attempt


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A function to write, with everything that is needed to judge an answer.

    Args:
        name: of the function.
        level: 1 one idea, 2 two ideas or a trap in the indices, 3 several steps.
        stage: the part of the course that it belongs to, such as "Attention".
        task: what to write, in one sentence.
        arguments: in order, each with its shape and dtype, such as ``{"z": "(..., V) float32"}``.
        result: the shape of the result, or of each result, such as ``"(..., V)"``.
        latex: the formula of the exercise, in the letters of its task.
        equations: the names of the registered equations that decide.
        page: the page of the course that teaches it, below ``docs/`` or ``notebooks/``, without its suffix.
        term: the part of ``latex`` that a hint points at.
        draw: the arguments of one call, from a source of random inputs.
        expected: the right result for such arguments: the equations evaluated literally, in float64.
        misconceptions: the classic mistakes, at least six.
        solutions: right answers, the idiomatic one first; shown only once the exercise is solved.
    """

    name: str
    level: int
    stage: Words
    task: Words
    arguments: Mapping[str, str]
    result: str
    latex: str
    equations: tuple[str, ...]
    page: str
    term: str
    draw: Callable[[ExerciseDraw], tuple[Any, ...]]
    expected: Attempt
    misconceptions: tuple[Misconception, ...]
    solutions: tuple[Attempt, ...]


#: The kinds of mistakes: a generic diagnosis names one of them from the numbers alone. What a mistake says decides its
#: kind: "X is left out" is missing, "Y in the place of X" wrong-operand, "X and Y are exchanged" or "Y before X" order,
#: "the opposite operation" sign, "another factor" or "another power of a factor" scale.
MISTAKE_KINDS: Mapping[str, Words] = {
    "axis": Words("along the wrong axis", "沿着错误的轴"),
    "transposed": Words("rows and columns exchanged", "行与列互换"),
    "scale": Words("off by a factor", "差一个倍数"),
    "constant": Words("off by a constant", "差一个常数"),
    "sign": Words("the opposite sign", "符号相反"),
    "shift": Words("shifted by one", "错开一位"),
    "order": Words("in another order", "次序不同"),
    "layout": Words("the numbers are grouped differently", "数的分组方式不同"),
    "missing": Words("a term or a step is missing", "少了一项或一步"),
    "extra": Words("a term or a step too many", "多了一项或一步"),
    "wrong-operand": Words("another quantity in one place", "某处用了别的量"),
    "mask": Words("what may be seen is different", "可见范围不同"),
    "border": Words("wrong only at a border", "只在边界处不对"),
    "dtype": Words("another kind of number", "数的类型不同"),
    "unstable": Words("right in theory, but the numbers overflow", "公式正确，但数值溢出"),
}
