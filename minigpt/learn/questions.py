"""``mg.check``: hold a function, or a formula, against the equation of an exercise."""

import difflib
import html
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from minigpt.equations import EquationError
from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.notes import noted
from minigpt.learn.formulas import gradient
from minigpt.learn.formulas.answered import judged_formula, unreadable
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.layout import Paragraph, Section, in_page
from minigpt.learn.judge.replies import judged
from minigpt.learn.judge.reply import Reply
from minigpt.learn.progress import FOLDER, LearnerProgress, Overview, overview
from minigpt.settings.language import language

NOTHING_GIVEN = Words(
    "mg.check.{name} judges your answer: give it a function {call} or its formula in LaTeX; print(mg.check.{name}) "
    "shows the task",
    "mg.check.{name} 评判你的答案：请传入函数 {call}，或 LaTeX 公式；print(mg.check.{name}) 显示题目",
)
NOT_AN_ATTEMPT = Words(
    "mg.check.{} takes a function or a formula, not {}; pass the function itself, without calling it",
    "mg.check.{} 需要一个函数或公式，而不是 {}；请传入函数本身，不要调用它",
)
SAYS_CHECK = Words(
    "mg.check judges answers to {} exercises: mg.check.softmax(my_softmax).\n"
    "mg.check.all() lists them; print(mg.check.softmax) shows the task.",
    "mg.check 评判 {} 道练习的解答：mg.check.softmax(my_softmax)。\n"
    "mg.check.all() 列出全部练习；print(mg.check.softmax) 显示题目。",
)
SAYS_ALL = Words(
    'mg.check.all() lists the exercises in the order of the course (lang="zh": in\nChinese) and those you solved.',
    'mg.check.all() 按课程顺序列出全部练习，并标出已完成的（lang="en"：英文）。',
)
SAYS_GRADIENT = Words(
    "A derivative by hand: the equation, the symbol to differentiate by, the formula.\n"
    'mg.check.gradient("cross-entropy-from-logits", "z", "p_i - y_i")',
    "评判手工推导的导数，依次给出方程的名称、求导的变量和公式：\n"
    'mg.check.gradient("cross-entropy-from-logits", "z", "p_i - y_i")',
)
Args = ParamSpec("Args")
Result = TypeVar("Result")


class Challenge:
    """One exercise, waiting for an attempt: ``mg.check.softmax(my_softmax)``.

    Args:
        exercise: what is asked for.
        solved: the names of the exercises that are solved, to which this one is added.
    """

    def __init__(self, exercise: Exercise, solved: set[str]) -> None:
        self.exercise, self._solved = exercise, solved
        self.__name__ = exercise.name
        self.__doc__ = str(self)

    def __call__(
        self, attempt: Callable[..., Any] | str | None = None, *, lang: str | None = None, seed: int = 0
    ) -> Reply:
        """Judge an attempt.

        Args:
            attempt: a function of the arguments of the exercise, or its formula in LaTeX.
            lang: of the reply, "en" or "zh"; ``None`` takes that of the locale.
            seed: of the calls that decide.
        """
        spoken = language(lang)
        if attempt is None:
            call = f"{self.exercise.name}({', '.join(self.exercise.arguments)})"
            raise TypeError(NOTHING_GIVEN[spoken].format(name=self.exercise.name, call=call))
        if isinstance(attempt, str):
            reply = judged_formula(self.exercise, attempt, spoken, seed)
        elif callable(attempt):
            reply = judged(self.exercise, Submission(attempt), spoken, seed)
        else:
            raise TypeError(NOT_AN_ATTEMPT[spoken].format(self.exercise.name, type(attempt).__name__))
        if reply.right:
            self._solved.add(self.exercise.name)
        return reply

    def __str__(self) -> str:
        return str(Section(*self._shown()))

    __repr__ = __str__

    def _shown(self) -> tuple[str, tuple[Paragraph, ...]]:
        exercise, lang = self.exercise, language()
        colon = ": " if lang == "en" else "："
        given = "\n".join(f"{name}{colon}{noted(told, lang)}" for name, told in exercise.arguments.items())
        title = f"{exercise.name}({', '.join(exercise.arguments)}) -> {noted(exercise.result, lang)}"
        return title, (
            Paragraph(exercise.task[lang]),
            Paragraph(exercise.latex, is_block=True),
            Paragraph(given, is_block=True),
        )

    def _repr_html_(self) -> str:
        title, parts = self._shown()
        return in_page(f"<p><strong>{html.escape(title)}</strong></p>{''.join(part.html() for part in parts)}")


class Explained(Generic[Args, Result]):
    """A method that says how it is called where it is printed without a call."""

    def __init__(self, method: Callable[..., Result], says: Words) -> None:
        self.method, self.says = method, says
        update_wrapper(self, method)

    def __get__(self, owner: Any, kind: Any = None) -> "Explained[Args, Result]":
        return self if owner is None else Explained(self.method.__get__(owner, kind), self.says)

    def __call__(self, *args: Args.args, **kwargs: Args.kwargs) -> Result:
        """What the method returns."""
        return self.method(*args, **kwargs)

    def __repr__(self) -> str:
        return self.says[language()]


def printed_as(says: Words) -> Callable[[Callable[Concatenate[Any, Args], Result]], Explained[Args, Result]]:
    """Make a method say what it does where it is printed."""
    return lambda method: Explained(method, says)


class Questions:
    """The exercises by their names: ``mg.check.softmax(my_softmax)``, ``mg.check.all()``."""

    def __init__(self) -> None:
        self._solved: set[str] = set()

    def __repr__(self) -> str:
        return SAYS_CHECK[language()].format(len(CATALOGUE))

    def __getattr__(self, name: str) -> Challenge:
        known = [exercise.name for exercise in CATALOGUE]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else "; mg.check.all() lists them"
            raise AttributeError(f"there is no exercise {name!r}{meant}")
        return Challenge(exercise_named(name), self._solved)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *(exercise.name for exercise in CATALOGUE)])

    @printed_as(SAYS_ALL)
    def all(self, *, lang: str | None = None) -> Overview:
        """All exercises in the order of the course, with level, equation, page, and whether they are solved.

        Args:
            lang: "en" or "zh"; ``None`` takes that of the locale.
        """
        done = LearnerProgress.read(Path(FOLDER)).solved if Path(FOLDER).is_dir() else set()
        return overview(done | self._solved, language(lang))

    @printed_as(SAYS_GRADIENT)
    def gradient(self, equation: str, symbol: str, latex: str, *, lang: str | None = None) -> Reply:
        """Judge a derivative that was worked out by hand.

        Args:
            equation: the name of a registered equation, such as "cross-entropy-from-logits".
            symbol: of the input that it is differentiated by, such as "z".
            latex: the derivative.
            lang: of the reply, "en" or "zh"; ``None`` takes that of the locale.
        """
        try:
            return gradient(equation, symbol, latex, language(lang))
        except EquationError as error:
            return unreadable(equation, error, language(lang), reads=True)


#: The one that `minigpt` offers.
check = Questions()
