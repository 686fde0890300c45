"""Scaling laws: the loss of a model from its size and its data, and the best size for a budget."""

from minigpt.cost.scaling.chinchilla import (
    CHINCHILLA,
    CHINCHILLA_REFIT,
    ScalingLaw,
    approach_1_tokens,
    compute_optimal,
    scaling_loss,
)
from minigpt.cost.scaling.fit import FittedLaw, ScalingPoint, fit_scaling_law
from minigpt.cost.scaling.kaplan import kaplan_loss
from minigpt.cost.scaling.repeated import repeated_data_loss

__all__ = [
    "CHINCHILLA",
    "CHINCHILLA_REFIT",
    "FittedLaw",
    "ScalingLaw",
    "ScalingPoint",
    "approach_1_tokens",
    "compute_optimal",
    "fit_scaling_law",
    "kaplan_loss",
    "repeated_data_loss",
    "scaling_loss",
]
