"""``mg.check``: hold a function, or a formula, against the equation of an exercise."""

import difflib
import html
from collections.abc import Callable
from dataclasses import replace
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from minigpt.equations import EquationError
from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.formulas import as_function, gradient
from minigpt.learn.formulas.bounds import BoundSlip, wrong_bound
from minigpt.learn.formulas.refusals import why
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.judge import trials
from minigpt.learn.judge.layout import Paragraph, Section, in_page
from minigpt.learn.judge.replies import formula_hint, judged
from minigpt.learn.judge.reply import Reply
from minigpt.learn.progress import FOLDER, LearnerProgress, Overview, overview
from minigpt.settings.language import Language, language

UNREADABLE = Words("The formula can't be read{}.", "公式无法读取{}。")
NO_VALUE = Words("The formula has no value{}.", "公式无法求值{}。")
PROCEDURE = Words(
    "{} is a procedure, not one formula: give it a function.", "{} 是一个过程，不是一个公式：请给出一个函数。"
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
#: How much of a formula is shown around the place that can't be read.
POINTED_WIDTH = 72


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

    def __call__(self, attempt: Callable[..., Any] | str, *, lang: str | None = None, seed: int = 0) -> Reply:
        """Judge an attempt.

        Args:
            attempt: a function of the arguments of the exercise, or its formula in LaTeX.
            lang: of the reply, "en" or "zh"; ``None`` takes that of the locale.
            seed: of the calls that decide.
        """
        spoken = language(lang)
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
        given = "\n".join(f"{name}: {told}" for name, told in exercise.arguments.items())
        title = f"{exercise.name}({', '.join(exercise.arguments)}) -> {exercise.result}"
        return title, (
            Paragraph(exercise.task[lang]),
            Paragraph(exercise.latex, is_block=True),
            Paragraph(given, is_block=True),
        )

    def _repr_html_(self) -> str:
        title, parts = self._shown()
        return in_page(f"<p><strong>{html.escape(title)}</strong></p>{''.join(part.html() for part in parts)}")


def judged_formula(exercise: Exercise, latex: str, lang: Language, seed: int = 0) -> Reply:
    """The reply to a formula; it is evaluated here, since evaluation always ends.

    Args:
        exercise: what was asked for.
        latex: the formula.
        lang: of the reply.
        seed: of the calls that decide.
    """
    reads, hints = True, (formula_hint(exercise, lang),)
    try:
        answer = as_function(exercise, latex)
        reads = False
        answer(*trials(exercise, seed)[0].arguments)
    except EquationError as error:
        reply = unreadable(exercise.name, error, lang, reads=reads, hints=hints)
        slip = None if reads else wrong_bound(exercise, answer, seed)
        return reply if slip is None else about_bound(reply, slip)
    except ValueError:
        if not reads:
            raise
        says = PROCEDURE[lang].format(exercise.name)
        return Reply(exercise=exercise.name, right=False, id="formula.procedure", says=says, hints=hints, lang=lang)
    reply = judged(exercise, Submission(answer, isolated=False, is_formula=True), lang, seed)
    if reply.right or reply.id.startswith(f"{exercise.name}."):
        return reply
    slip = wrong_bound(exercise, answer, seed)
    return reply if slip is None else about_bound(reply, slip)


def about_bound(reply: Reply, slip: BoundSlip) -> Reply:
    """A reply that names the bound of a sum, and still shows where the values differ.

    Args:
        reply: to the same formula.
        slip: the bound.
    """
    says = slip.says[reply.lang]
    if reply.id in ("unknown", "formula.no-value"):  # it says which entry differs, and both values, or which has none
        says += ("" if reply.lang == "zh" else " ") + reply.says
    hints = reply.hints
    if len(hints) == 2:
        hints = (Section(hints[0].title, (Paragraph(says), *hints[0].parts[1:])), hints[1])
    return replace(reply, id=slip.id, kind=slip.kind, says=says, hints=hints)


def unreadable(
    asked: str, error: EquationError, lang: Language, *, reads: bool, hints: tuple[Section, ...] = ()
) -> Reply:
    """The reply to a formula that can't be read or has no value, with its place.

    Args:
        asked: what was asked for.
        error: of the equation.
        lang: of the reply.
        reads: whether it could not be read; else it has no value.
        hints: of the reply.
    """
    told, *place = str(error).split("\n")
    says = (UNREADABLE if reads else NO_VALUE)[lang].format(why(told.rstrip("."), lang))
    parts = (Paragraph(pointed_at(*place[:2]), is_block=True),) if place and place[0].strip() else ()
    name = "formula.unreadable" if reads else "formula.no-value"
    return Reply(exercise=asked, right=False, id=name, says=says, parts=parts, hints=hints, lang=lang)


def pointed_at(line: str, caret: str) -> str:
    """A line and the mark below it, cut to what a terminal shows."""
    line, at = line[2:], len(caret) - 3
    start = max(0, min(at - POINTED_WIDTH // 2, len(line) - POINTED_WIDTH))
    return f"{line[start : start + POINTED_WIDTH]}\n{' ' * (at - start)}^"


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
