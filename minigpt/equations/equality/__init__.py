"""Formulas as a learner writes them: read without a left side, and compared at random values."""

from minigpt.equations.equality.compare import Equality, Parting, equal
from minigpt.equations.equality.expression import completed

__all__ = ["Equality", "Parting", "completed", "equal"]
