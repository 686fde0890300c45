"""Every registered equation, evaluated literally on random inputs and compared with the function that implements it.

A check gets its function from the registry and imports nothing, so functions of later rooms are checked here too.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from minigpt.checks import (  # noqa: F401 - they register their checks
    attention,
    cleaning,
    cost,
    fairness,
    generation,
    layers,
    learning,
    microscope,
    optimizers,
    scaling,
    stability,
    tiles,
    training,
)
from minigpt.checks.draw import CHECKS, Check, Draw, check
from minigpt.equations import Equation

#: The largest :func:`largest_error` in float64 at which a function and its equation count as equal.
TOLERANCE = 1e-10

__all__ = ["CHECKS", "TOLERANCE", "Check", "Draw", "check", "compared", "largest_error"]


def compared(equation: Equation, draw: Draw) -> dict[str, tuple[Tensor, Tensor]]:
    """The value of the function and that of the equation, for each row of the equation.

    Args:
        equation: a registered one.
        draw: the source of its inputs.

    Raises:
        ValueError: if the equation has no check, or the check does not return a value for each row.
    """
    if equation.name not in CHECKS:
        raise ValueError(f"the equation {equation.name!r} has no check; write one in minigpt/checks")
    given, returned = CHECKS[equation.name](equation.function, draw)
    expected = equation.evaluate_all(**given)
    actual = returned if isinstance(returned, Mapping) else {list(expected)[-1]: returned}
    if set(actual) != set(expected):
        raise ValueError(f"the check of {equation.name!r} gives {', '.join(actual)}; expected {', '.join(expected)}")
    return {name: (_tensor(actual[name]), torch.as_tensor(value)) for name, value in expected.items()}


def largest_error(equation: Equation, n_draws: int = 10) -> float:
    """The largest difference over several draws in float64, relative to the largest expected value; ``inf`` for NaN.

    Args:
        equation: a registered one, or a copy with another formula or function.
        n_draws: number of inputs drawn.

    Raises:
        ValueError: as :func:`compared`.
    """
    pairs = [pair for seed in range(n_draws) for pair in compared(equation, Draw.seeded(seed)).values()]
    return max(_relative_error(actual, expected) for actual, expected in pairs)


def _tensor(value: Tensor | float) -> Tensor:
    return value.detach() if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


def _relative_error(actual: Tensor, expected: Tensor) -> float:
    if actual.shape != expected.shape:
        return math.inf
    error = (actual.double() - expected).abs().max() / expected.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    return math.inf if error.isnan() else error.item()
