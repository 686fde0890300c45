"""Formulas as answers: to an exercise, and for a derivative worked out by hand."""

from minigpt.learn.formulas.by_hand import gradient

__all__ = ["gradient"]
