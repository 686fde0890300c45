r"""Which letter of an expression is which axis of the result, where no left side says it.

Letters of the exercise's own left side, such as $m_{ts}$, are in its order. Other letters are tried in every order, and
the one in which the formula is right is taken.
"""

import re
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import torch

from minigpt.equations import EquationError
from minigpt.equations.equality.expression import left_side
from minigpt.learn.exercises import exercise_named
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.judge.compare import Call, all_close

#: Draws on which an order has to be right, and the most letters whose orders are tried.
N_TRIED, MAX_LETTERS = 3, 3


def own_left_side(exercise: str) -> tuple[str, tuple[str, ...]]:
    """The name of the result in the exercise's own formula, and the letters of its indices.

    >>> own_left_side("causal_mask")
    ('m', ('t', 's'))
    """
    name, _, indices = left_side(exercise_named(exercise).latex).partition("_")
    return name, tuple(re.findall(r"[a-z]", indices))


def orders(exercise: str, letters: Sequence[str]) -> list[tuple[str, ...]]:
    """The orders in which the letters may be the axes of the result, the likeliest first.

    Args:
        exercise: its name.
        letters: of the expression, in the order in which they occur.
    """
    own = own_left_side(exercise)[1]
    if len(letters) > MAX_LETTERS:
        return [tuple(letters)]
    if own and set(own) <= set(letters):
        rest = [letter for letter in letters if letter not in own]
        return [own + order for order in permutations(rest)]
    return list(permutations(letters))


def right_on_draws(exercise: str, function: Callable[..., Any]) -> bool:
    """Whether a function gives the result of an exercise on a few of its draws."""
    asked = exercise_named(exercise)
    for seed in range(N_TRIED):
        call = Call.of(asked.expected, asked.draw(ExerciseDraw.seeded(seed, torch.float32)))
        try:
            found = Call.of(function, call.arguments)
        except EquationError:
            return False
        if not all_close(found.expected, call.expected):
            return False
    return True
