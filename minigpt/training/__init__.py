"""From batches to trained weights: the loop, the optimizer and its schedule, checkpoints."""

from minigpt.training.averaging import WeightAverage, weight_average
from minigpt.training.config import TrainConfig
from minigpt.training.gradients import accumulate_gradients
from minigpt.training.loop import train
from minigpt.training.losses import LOSSES, LossModule
from minigpt.training.optim import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Lion,
    Momentum,
    Muon,
    clip_by_norm,
    decay_groups,
    newton_schulz,
)
from minigpt.training.rate_finder import RateSearch, exponential_ramp, find_learning_rate
from minigpt.training.report.history import History
from minigpt.training.report.loggers import LivePlot, Logger, TensorBoardLogger
from minigpt.training.run_state import RunState
from minigpt.training.schedule import SCHEDULES, warmup_constant, warmup_cosine, warmup_linear, warmup_stable_decay
from minigpt.training.step import train_step
from minigpt.training.storage.checkpoint import Checkpoint
from minigpt.training.storage.loading import load_checkpoint
from minigpt.training.storage.whole import save_checkpoint
from minigpt.training.validation import SplitLoss, split_loss

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "Checkpoint",
    "History",
    "Lion",
    "LivePlot",
    "Logger",
    "LossModule",
    "Momentum",
    "Muon",
    "RateSearch",
    "RunState",
    "SplitLoss",
    "TensorBoardLogger",
    "TrainConfig",
    "WeightAverage",
    "accumulate_gradients",
    "clip_by_norm",
    "decay_groups",
    "exponential_ramp",
    "find_learning_rate",
    "load_checkpoint",
    "newton_schulz",
    "save_checkpoint",
    "split_loss",
    "train",
    "train_step",
    "warmup_constant",
    "warmup_cosine",
    "warmup_linear",
    "warmup_stable_decay",
    "weight_average",
]
