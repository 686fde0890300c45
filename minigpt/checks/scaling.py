"""Checks of scaling laws."""

from types import SimpleNamespace
from typing import Any

from minigpt.checks.draw import Case, Draw, check


@check
def scaling_loss(function: Any, draw: Draw) -> Case:
    """Any constants and sizes."""
    law, sizes = _law(draw), {"N": draw.integer(10, 10**6), "D": draw.integer(10, 10**6)}
    return vars(law) | sizes, function(law, sizes["N"], sizes["D"])


@check
def compute_optimal(function: Any, draw: Draw) -> Case:
    """Any constants and budgets."""
    law, flops = _law(draw), draw.integer(10, 10**6)
    size, tokens = function(law, flops)
    return vars(law) | {"C": flops}, {"N": size, "D": tokens}


@check
def power_law_between(function: Any, draw: Draw) -> Case:
    """Between the rows and beyond them."""
    x_0, step, x = draw.integer(1, 20), draw.integer(1, 20), draw.integer(1, 60)
    y_0, y_1 = draw.integer(1, 20), draw.integer(1, 20)
    given = {"x": x, "x_0": x_0, "x_1": x_0 + step, "y_0": y_0, "y_1": y_1}
    return given, function(x, (x_0, y_0), (x_0 + step, y_1))


@check
def kaplan_loss(function: Any, draw: Draw) -> Case:
    """The constants are the printed ones."""
    size, tokens = draw.integer(10**3, 10**9), draw.integer(10**3, 10**9)
    constants = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    return constants | {"N": size, "D": tokens}, function(size, tokens)


@check
def repeated_data_loss(function: Any, draw: Draw) -> Case:
    """Data that is read once and often, models that are too small and too large for it."""
    law, size, unique = _law(draw), draw.integer(5, 400), draw.integer(5, 400)
    tokens = unique * draw.choice([0.5, 1, 3, 40])
    given = vars(law) | {"r": 5.309743, "q": 15.387756}
    return given | {"N": size, "D": tokens, "U": unique}, function(size, tokens, unique, law)


def _law(draw: Draw) -> Any:
    exponents = {name: draw.integer(1, 8) / 8 for name in ("alpha", "beta")}
    return SimpleNamespace(**{name: draw.integer(1, 40) / 4 for name in "EAB"}, **exponents)
