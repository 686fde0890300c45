"""Optimizers from their equations, one a file, and what goes with them: roles of parameters and gradient clipping."""

from minigpt.train.optim.adam import Adam
from minigpt.train.optim.adamw import AdamW
from minigpt.train.optim.base import EquationOptimizer
from minigpt.train.optim.clipping import clip_by_norm, fused_clip_by_norm
from minigpt.train.optim.groups import decay_groups
from minigpt.train.optim.lion import Lion
from minigpt.train.optim.momentum import Momentum
from minigpt.train.optim.muon import Muon
from minigpt.train.optim.newton_schulz import newton_schulz
from minigpt.train.optim.sgd import SGD

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
    "fused_clip_by_norm",
    "newton_schulz",
]
