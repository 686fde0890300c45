"""Speed and memory beside known peers: ratios taken in one run, since absolute times say more about the machine."""

from minigpt.bench.attention import (
    AttentionBench,
    Measured,
    Setting,
    interpreted_error,
    kernel_error,
    measure_attention,
)
from minigpt.bench.tiles import TileBench, Tried, tune_tiles
from minigpt.bench.training import SHAPES, Shape, train_step

__all__ = [
    "SHAPES",
    "AttentionBench",
    "Measured",
    "Setting",
    "Shape",
    "TileBench",
    "Tried",
    "interpreted_error",
    "kernel_error",
    "measure_attention",
    "train_step",
    "tune_tiles",
]
