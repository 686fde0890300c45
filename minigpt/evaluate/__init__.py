"""How good a trained model is, by itself and beside the baselines."""

from minigpt.evaluate.ladder import Ladder, ladder
from minigpt.evaluate.perplexity import Evaluation, evaluate

__all__ = ["Evaluation", "Ladder", "evaluate", "ladder"]
