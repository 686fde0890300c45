"""Speed and memory beside known peers: ratios taken in one run, since absolute times say more about the machine."""

from minigpt.bench.attention.correctness import interpreted_error, kernel_error
from minigpt.bench.attention.setting import Setting
from minigpt.bench.attention.speed import AttentionBench, Measured, measure_attention
from minigpt.bench.attention.tiles import TileBench, Tried, tune_tiles
from minigpt.bench.generation.speed import Gain, GenerationBench, GenerationRow, measure_generation
from minigpt.bench.gpu import GpuPart, gpu_lines, gpu_plan, measure_gpu
from minigpt.bench.growth import measure_growth
from minigpt.bench.loss import LossBench, LossRow, measure_loss
from minigpt.bench.memory import AttentionMemory, MemoryBench, StepMemoryRow, measure_memory
from minigpt.bench.probe import busy_line, probe_machine
from minigpt.bench.reports import Measurement
from minigpt.bench.speedrun import SpeedrunReport, Track, TrackResult, measure_speedrun
from minigpt.bench.steps import Contender, Shape
from minigpt.bench.tokenization import TokenizerBench, TokenizerRow, measure_tokenizers
from minigpt.bench.training import SHAPES, TrainingBench, TrainingRow, measure_training

__all__ = [
    "SHAPES",
    "AttentionBench",
    "AttentionMemory",
    "Contender",
    "Gain",
    "GenerationBench",
    "GenerationRow",
    "GpuPart",
    "LossBench",
    "LossRow",
    "Measured",
    "Measurement",
    "MemoryBench",
    "Setting",
    "Shape",
    "SpeedrunReport",
    "StepMemoryRow",
    "TileBench",
    "TokenizerBench",
    "TokenizerRow",
    "Track",
    "TrackResult",
    "TrainingBench",
    "TrainingRow",
    "Tried",
    "busy_line",
    "gpu_lines",
    "gpu_plan",
    "interpreted_error",
    "kernel_error",
    "measure_attention",
    "measure_generation",
    "measure_gpu",
    "measure_growth",
    "measure_loss",
    "measure_memory",
    "measure_speedrun",
    "measure_tokenizers",
    "measure_training",
    "probe_machine",
    "tune_tiles",
]
