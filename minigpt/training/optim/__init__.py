"""Optimizers from their equations, one a file, and what goes with them: roles of parameters and gradient clipping."""

from minigpt.training.optim.adam import Adam
from minigpt.training.optim.adamw import AdamW
from minigpt.training.optim.base import EquationOptimizer
from minigpt.training.optim.clipping import clip_by_norm, fast_clip_by_norm
from minigpt.training.optim.groups import decay_groups
from minigpt.training.optim.lion import Lion
from minigpt.training.optim.momentum import Momentum
from minigpt.training.optim.muon import Muon
from minigpt.training.optim.orthogonal import newton_schulz
from minigpt.training.optim.sgd import SGD

#: The optimizers, by the name that ``TrainConfig.optimizer`` has for them.
OPTIMIZERS: dict[str, type[EquationOptimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "adam": Adam,
    "adamw": AdamW,
    "lion": Lion,
    "muon": Muon,
}

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "EquationOptimizer",
    "Lion",
    "Momentum",
    "Muon",
    "clip_by_norm",
    "decay_groups",
    "fast_clip_by_norm",
    "newton_schulz",
]
