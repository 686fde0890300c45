"""From batches to trained weights: the loop, the optimizer and its schedule, checkpoints, and whole runs."""

from minigpt.train.averaging import WeightAverage, weight_average
from minigpt.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from minigpt.train.config import TrainConfig
from minigpt.train.gradients import accumulate_gradients
from minigpt.train.history import History
from minigpt.train.loggers import LivePlot, Logger, TensorBoardLogger
from minigpt.train.loop import train, train_step
from minigpt.train.optim import (
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
from minigpt.train.rate_finder import RateSearch, exponential_ramp, find_learning_rate
from minigpt.train.recipes import RECIPES, Recipe, recipe
from minigpt.train.run import Run, RunConfig, load_model, prepare_run, start_run
from minigpt.train.run_state import RunState
from minigpt.train.schedule import SCHEDULES, warmup_constant, warmup_cosine, warmup_linear, warmup_stable_decay
from minigpt.train.splits import build_tokenizer, open_splits
from minigpt.train.validation import SplitLoss, split_loss

__all__ = [
    "OPTIMIZERS",
    "RECIPES",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "Checkpoint",
    "History",
    "Lion",
    "LivePlot",
    "Logger",
    "Momentum",
    "Muon",
    "RateSearch",
    "Recipe",
    "Run",
    "RunConfig",
    "RunState",
    "SplitLoss",
    "TensorBoardLogger",
    "TrainConfig",
    "WeightAverage",
    "accumulate_gradients",
    "build_tokenizer",
    "clip_by_norm",
    "decay_groups",
    "exponential_ramp",
    "find_learning_rate",
    "load_checkpoint",
    "load_model",
    "newton_schulz",
    "open_splits",
    "prepare_run",
    "recipe",
    "save_checkpoint",
    "split_loss",
    "start_run",
    "train",
    "train_step",
    "warmup_constant",
    "warmup_cosine",
    "warmup_linear",
    "warmup_stable_decay",
    "weight_average",
]
