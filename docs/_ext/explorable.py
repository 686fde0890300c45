"""Formulas that can be touched, for the pages of equations: with small whole numbers from the check of the equation."""

from functools import cache
from typing import Any

import numpy as np

from minigpt.checks import CHECKS
from minigpt.equations import Equation
from minigpt.equations.explorer.page import Exploration
from minigpt.learn.exercises.draw import SmallDraw

#: The equations that can be touched: those of the seed document, and some that are built on them.
EXPLORED = (
    "attention-weights",
    "attention-output",
    "cross-entropy",
    "softmax",
    "scaled-attention",
    "causal-attention",
    "cross-entropy-from-logits",
    "layer-norm",
    "temperature",
)
LENGTHS = range(2, 4)


def explorable(equation: Equation) -> str:
    """The formula as HTML in MyST, or nothing for an equation that is not among those."""
    return f"````{{raw}} html\n{exploration(equation).html()}\n````\n\n" if equation.name in EXPLORED else ""


@cache
def exploration(equation: Equation) -> Exploration:
    """The formula with the first inputs whose axes are all 2 or 3 long."""
    return equation.explore(**small_inputs(equation))


def small_inputs(equation: Equation) -> dict[str, Any]:
    """Whole numbers, and probabilities made from them."""
    for seed in range(1000):
        drawn, _ = CHECKS[equation.name](equation.function, SmallDraw.seeded(seed))
        given = {key: np.asarray(value, np.float64) for key, value in drawn.items()}
        lengths = [length for value in given.values() for length in value.shape]
        varied = all(len(np.unique(value)) > 1 for value in given.values() if value.size > 1)
        if varied and set(lengths) <= set(LENGTHS) and 3 in lengths:
            return given
    raise ValueError(f"no draw of {equation.name!r} has axes of {LENGTHS.start} to {LENGTHS.stop - 1} entries")
