"""From a text to a trained model in one call: a source, a plan, a run folder; and several of them compared."""

from minigpt.runs.borders import borders_of
from minigpt.runs.comparison import compare
from minigpt.runs.config import RunConfig
from minigpt.runs.recipes import RECIPES, FastSizes, Recipe, hardware_sizes, recipe
from minigpt.runs.run import Run, load_model, prepare_run, start_run
from minigpt.runs.source import Source
from minigpt.runs.splits import build_tokenizer, open_splits
from minigpt.runs.trials import Comparison, Trial

__all__ = [
    "RECIPES",
    "Comparison",
    "FastSizes",
    "Recipe",
    "Run",
    "RunConfig",
    "Source",
    "Trial",
    "borders_of",
    "build_tokenizer",
    "compare",
    "hardware_sizes",
    "load_model",
    "open_splits",
    "prepare_run",
    "recipe",
    "start_run",
]
