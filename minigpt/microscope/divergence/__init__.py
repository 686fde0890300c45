"""Where two models part that are meant to compute the same."""

from minigpt.microscope.divergence.search import Divergence, first_divergence

__all__ = ["Divergence", "first_divergence"]
