"""How good a trained model is."""

from minigpt.evaluate.perplexity import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
