"""The command that checks the library against its formulas: `minigpt equations`."""

import textwrap
from dataclasses import dataclass
from typing import Any

import tyro

import minigpt as mg
from minigpt import checks
from minigpt.cli.output import print_json
from minigpt.equations import Equation
from minigpt.settings import counted


@dataclass(frozen=True, kw_only=True)
class Equations:
    """Evaluate the library's equations, term by term, and hold the functions that implement them against the values.

    Attributes:
        names: which ones; all of them, if none is named.
        json: print the figures as JSON.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    json: bool = False

    def __call__(self) -> None:
        """Print a table; an equation whose function differs from it is an error."""
        equations = [mg.equations.get(name) for name in self.names] or mg.equations.all()
        errors = [checks.largest_error(equation) for equation in equations]
        wrong = [eq.name for eq, error in zip(equations, errors, strict=True) if not error <= checks.TOLERANCE]
        if self.json:
            print_json([_figures_of(eq, error) for eq, error in zip(equations, errors, strict=True)])
        else:
            print(f"{'equation':28}{'largest error':16}function")
            for equation, error in zip(equations, errors, strict=True):
                print(f"\n{equation.name:28}{error:<16.1e}{_function_of(equation)}")
                print(textwrap.indent(f"{equation}\nSource: {equation.source}", "    "))
        if wrong:
            of = f"{len(wrong)} of {counted(len(errors), 'equation')}"
            raise ValueError(f"the code differs from {of}: {', '.join(wrong)}")
        if not self.json:
            equal = "equal to its function" if len(errors) == 1 else "all equal to their functions"
            print(f"\n{counted(len(errors), 'equation')}, {equal} within {checks.TOLERANCE:.0e}")


def _figures_of(equation: Equation, error: float) -> dict[str, Any]:
    return {
        "name": equation.name,
        "function": _function_of(equation),
        "source": equation.source,
        "largest_error": error,
        "ok": error <= checks.TOLERANCE,
    }


def _function_of(equation: Equation) -> str:
    function: Any = equation.function
    return f"{function.__module__}.{function.__qualname__}"
