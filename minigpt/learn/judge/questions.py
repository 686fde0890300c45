"""``mg.check``: hold a function, or a formula, against the equation of an exercise."""

import difflib
import html
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.language import language
from minigpt.learn.judge.layout import Paragraph, Section, in_page
from minigpt.learn.judge.replies import judged
from minigpt.learn.judge.reply import Reply
from minigpt.learn.progress import FOLDER, LearnerProgress, Overview, overview


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
            reply = judged(self.exercise, formula(self.exercise, attempt), spoken, seed)
        elif callable(attempt):
            reply = judged(self.exercise, Submission(attempt), spoken, seed)
        else:
            raise TypeError(
                f"mg.check.{self.exercise.name} takes a function or a formula, not {type(attempt).__name__}; "
                f"pass the function itself, without calling it"
            )
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


def formula(exercise: Exercise, latex: str) -> Submission:
    """An attempt that is a formula; it is evaluated here, since evaluation always ends.

    Args:
        exercise: what was asked for.
        latex: the formula.
    """
    formulas = importlib.import_module("minigpt.learn.formulas")
    return Submission(formulas.as_function(exercise, latex), isolated=False)


class Questions:
    """The exercises by their names: ``mg.check.softmax(my_softmax)``, ``mg.check.all()``."""

    def __init__(self) -> None:
        self._solved: set[str] = set()

    def __getattr__(self, name: str) -> Challenge:
        known = [exercise.name for exercise in CATALOGUE]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else "; mg.check.all() lists them"
            raise AttributeError(f"there is no exercise {name!r}{meant}")
        return Challenge(exercise_named(name), self._solved)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *(exercise.name for exercise in CATALOGUE)])

    def all(self, *, lang: str | None = None) -> Overview:
        """All exercises in the order of the course, with level, equation, page, and whether they are solved.

        Args:
            lang: "en" or "zh"; ``None`` takes that of the locale.
        """
        done = LearnerProgress.read(Path(FOLDER)).solved if Path(FOLDER).is_dir() else set()
        return overview(done | self._solved, language(lang))

    def gradient(self, equation: str, symbol: str, latex: str, *, lang: str | None = None) -> Reply:
        """Judge a derivative that was worked out by hand.

        Args:
            equation: the name of a registered equation, such as "cross-entropy-from-logits".
            symbol: of the input that it is differentiated by, such as "z".
            latex: the derivative.
            lang: of the reply, "en" or "zh"; ``None`` takes that of the locale.
        """
        formulas = importlib.import_module("minigpt.learn.formulas")
        reply: Reply = formulas.gradient(equation, symbol, latex, language(lang))
        return reply


#: The one that `minigpt` offers.
check = Questions()
