"""Speed and memory beside known peers: ratios taken in one run, since absolute times say more about the machine."""

from minigpt.bench.attention import AttentionBench, Measured, measure_attention
from minigpt.bench.correctness import interpreted_error, kernel_error
from minigpt.bench.generation import Gain, GenerationBench, GenerationRow, measure_generation
from minigpt.bench.probe import busy_line, probe_machine
from minigpt.bench.setting import Setting
from minigpt.bench.tiles import TileBench, Tried, tune_tiles
from minigpt.bench.training import SHAPES, Shape, TrainingBench, TrainingRow, measure_training

__all__ = [
    "SHAPES",
    "AttentionBench",
    "Gain",
    "GenerationBench",
    "GenerationRow",
    "Measured",
    "Setting",
    "Shape",
    "TileBench",
    "TrainingBench",
    "TrainingRow",
    "Tried",
    "busy_line",
    "interpreted_error",
    "kernel_error",
    "measure_attention",
    "measure_generation",
    "measure_training",
    "probe_machine",
    "tune_tiles",
]
