"""Fairness probes: what a swapped word changes, a planted bias to test the probe with, and a way to reduce it."""

from minigpt.evaluation.fairness.augmentation import augment, swap_words
from minigpt.evaluation.fairness.gaps import GapReport, counterfactual_gap, counterfactual_gaps
from minigpt.evaluation.fairness.pairs import Counterfactual, PairSet, load_pairs, read_pairs
from minigpt.evaluation.fairness.planted import PlantedWorld
from minigpt.evaluation.fairness.statistics import Interval, bootstrap, holm, sign_flip_p

__all__ = [
    "Counterfactual",
    "GapReport",
    "Interval",
    "PairSet",
    "PlantedWorld",
    "augment",
    "bootstrap",
    "counterfactual_gap",
    "counterfactual_gaps",
    "holm",
    "load_pairs",
    "read_pairs",
    "sign_flip_p",
    "swap_words",
]
