"""Formulas as answers: to an exercise, and for a derivative worked out by hand."""

from minigpt.learn.formulas.by_hand import derivative_by_hand as gradient
from minigpt.learn.formulas.functions import FormulaAnswer, as_function

__all__ = ["FormulaAnswer", "as_function", "gradient"]
