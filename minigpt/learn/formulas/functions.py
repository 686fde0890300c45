"""The formula of a learner as the function that an exercise asks for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from minigpt.equations import Equation, EquationError
from minigpt.equations.equality.compare import MAX_WORK
from minigpt.equations.equality.expression import (
    RESULT,
    completed,
    left_side,
    parted,
    refuse_unknown_names,
    undelimited,
)
from minigpt.equations.errors import MAX_OPERATIONS
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.formula import real_numbers
from minigpt.equations.parse import names_in
from minigpt.learn.exercises.exercise import Exercise
from minigpt.learn.formulas.axes import orders, own_left_side, right_on_draws
from minigpt.learn.formulas.notations import NOTATIONS, Notation
from minigpt.learn.formulas.statements import one_formula

_PYTHON = re.compile(r"(?<![\\a-zA-Z])(?:def \w+\(|lambda\b[^,{}]*:|return\b|(?:np|numpy|torch|math)\.[a-z])")
#: Letters that a formula may write for others.
OTHER_LETTERS: Mapping[str, str] = {
    r"\ell": "l",
    r"\varphi": r"\phi",
    r"\eta_{\max}": r"\eta_{max}",
    r"\eta_{\min}": r"\eta_{min}",
}


def as_function(exercise: Exercise, latex: str) -> "FormulaAnswer":
    r"""The function that a formula describes, to be judged as any other answer.

    The formula is an expression or has a left side; definitions follow, each after ``\text{where }`` or ``\quad``.
    Names are those of the exercise's own formula, and indices count from 1. Several results are the rows of an
    ``aligned`` system, or have ``\quad`` between them.

    Args:
        exercise: what was asked for.
        latex: the formula.

    Raises:
        EquationError: at the place that cannot be read, and for a name that the exercise does not have.
        ValueError: if the result of the exercise is not one formula, so that only a function can answer it.
    """
    if exercise.name not in NOTATIONS:
        raise ValueError(f"{exercise.name} is a procedure, not one formula: give it a function")
    if code := _PYTHON.search(latex):
        message = "this is Python, not LaTeX; pass the function itself, without quotation marks, or write its formula"
        raise EquationError(message, latex, code.start())
    answer = FormulaAnswer(exercise.name, latex)
    answer.check()
    answers = [FormulaAnswer(exercise.name, latex, order) for order in orders(exercise.name, answer.free)]
    if len(answers) == 1:
        return answers[0]
    return next((each for each in answers if right_on_draws(exercise.name, each)), answers[0])


@dataclass(frozen=True)
class FormulaAnswer:
    """A formula that is called as the function of its exercise. It can be pickled: it is its two texts.

    Args:
        exercise: its name.
        latex: the formula.
        order: of the letters that are the axes of the result, where no left side says it.
    """

    exercise: str
    latex: str
    order: tuple[str, ...] = ()

    @property
    def notation(self) -> Notation:
        """The names of the exercise."""
        return NOTATIONS[self.exercise]

    @cached_property
    def equation(self) -> Equation:
        """The formula, read; its result has a name of its own if the left side is also an input."""
        latex = undelimited(self.latex)
        for other, usual in OTHER_LETTERS.items():
            latex = latex.replace(other, usual)
        formula, where = parted(one_formula(latex, self.notation.results, self.notation.from_zero))
        left = left_side(formula)
        symbols, shape = {**self.notation.symbols, **self.notation.defined}, self.notation.result
        if left and {left, left.partition("_")[0]} & self.notation.symbols.keys():
            formula = formula[formula.index(left) + len(left) :].lstrip().removeprefix("=")
            order = re.findall(r"[a-z]", left.partition("_")[2])
            return completed(formula, where, symbols, order=lambda free: order or list(free), shape=shape)
        return completed(formula, where, symbols, order=lambda free: self.order or list(free), shape=shape)

    @property
    def free(self) -> tuple[str, ...]:
        """The letters that are the axes of the result; none where the formula has its own left side."""
        name = self.equation.outputs[-1]
        return tuple(self.equation.document.rows[name][0].letters) if name == RESULT else ()

    @property
    def read_as(self) -> str:
        """The left side that an expression of several letters was given; nothing if its letters leave no choice."""
        name, own = own_left_side(self.exercise)
        return f"{name}_{{{''.join(self.free)}}}" if len(self.free) > 1 and self.free != own else ""

    def check(self) -> None:
        """Raise `EquationError` for names without a meaning, and for too few or too many rows."""
        equation, wanted = self.equation, self.notation.results
        shapes = [dim for dims in equation.document.shapes.values() for dim in dims]
        sizes = {str(name) for dim in shapes for name in names_in(dim)}
        refuse_unknown_names(
            equation,
            {*self.notation.symbols, *sizes},
            f"the exercise {self.exercise}",
            own_left_side(self.exercise)[1],
        )
        if len(equation.outputs) < wanted:
            message = (
                f"{self.exercise} has {wanted} results: write them as rows of \\begin{{aligned}} … \\end{{aligned}}"
            )
            raise EquationError(message, equation.document.text, 0)

    def __call__(self, *arguments: Any) -> Any:
        """The result for the arguments of the exercise, in float64."""
        given = tuple(map(_plain, arguments))
        mapped = self.notation.mapped  # exercises with leading axes have one result
        results = [self._each(given, mapped)] if mapped else self._evaluate(given)
        if self.notation.shaped is not None:
            return self.notation.shaped(given, results)
        return tuple(results) if self.notation.results > 1 else results[0]

    def _each(self, given: tuple[Any, ...], mapped: Mapping[int, int]) -> np.ndarray:
        """The formula for each vector or matrix of the leading axes."""
        first = next(iter(mapped))
        leading = given[first].shape[: given[first].ndim - mapped[first]]
        values = {
            at: self._evaluate(tuple(value[at] if i in mapped else value for i, value in enumerate(given)))[-1]
            for at in np.ndindex(leading)
        }
        return np.stack(list(values.values())).reshape((*leading, *next(iter(values.values())).shape))

    def _evaluate(self, arguments: tuple[Any, ...]) -> list[np.ndarray]:
        """The last rows of the formula, as many as there are results."""
        values = self.notation.given(*arguments)
        given = {name: value if callable(value) else np.float64(value) for name, value in values.items()}
        with np.errstate(all="ignore"):
            evaluation = Evaluator(self.equation.document, given, MAX_OPERATIONS - MAX_WORK)
            names = self.equation.outputs[-self.notation.results :]
            return [np.asarray(evaluation.whole(name), np.float64) for name in names]


def _plain(argument: Any) -> Any:
    """An argument in float64, a list of tensors as one of arrays, a function of tensors as one of arrays."""
    if callable(argument) and not isinstance(argument, torch.Tensor):
        return lambda *values: real_numbers(argument(*(torch.tensor(value, dtype=torch.float32) for value in values)))
    if isinstance(argument, torch.Tensor):
        return argument.detach().double().numpy()
    if isinstance(argument, list | tuple):
        return [_plain(each) for each in argument]
    return argument
