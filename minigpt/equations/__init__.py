"""What an equation is: LaTeX that is shown, printed and evaluated literally, beside the code that implements it."""

from minigpt.equations.equality import Equality, equal
from minigpt.equations.errors import EquationError
from minigpt.equations.formula import Equation
from minigpt.equations.registry import all, equation, get
from minigpt.equations.twins import FastTwin, fast_twin

__all__ = ["Equality", "Equation", "EquationError", "FastTwin", "all", "equal", "equation", "fast_twin", "get"]
