"""What an equation is: LaTeX that is shown, printed and evaluated literally, beside the code that implements it."""

from minigpt.equations.formula import Equation
from minigpt.equations.registry import all, equation, get
from minigpt.equations.syntax import EquationError

__all__ = ["Equation", "EquationError", "all", "equation", "get"]
