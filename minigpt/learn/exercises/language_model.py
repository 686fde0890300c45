"""The exercise of the language model: probabilities from counts.

Dimensions: T tokens of the text, V vocabulary.
"""

from itertools import pairwise

import numpy as np
from torch import Tensor

from minigpt import equations
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.slips.learning.bigram_probabilities import BIGRAM_PROBABILITIES_MISTAKES
from minigpt.learn.exercises.solutions.language_model import BIGRAM_PROBABILITIES_SOLUTIONS


def _draw(d: ExerciseDraw) -> tuple[Tensor, int, float]:
    """Texts of any length; some tokens of the vocabulary may not occur."""
    vocab_size, length = d.size(3, 6), d.size(2, 40)
    return d.ids(length, below=d.size(2, vocab_size)), vocab_size, d.number(0.05, 2)


def _expected(ids: Tensor, vocab_size: int, alpha: float) -> np.ndarray:
    smoothing, counts = equations.get("additive-smoothing"), np.zeros((vocab_size, vocab_size))
    for previous, following in pairwise(ids.tolist()):
        counts[previous, following] += 1
    return np.stack([smoothing.evaluate(c=row, alpha=alpha) for row in counts])


BIGRAM_PROBABILITIES = Exercise(
    name="bigram_probabilities",
    level=1,
    stage=Words("Language model", "语言模型"),
    task=Words(
        "Estimate the probability of each token after each other from a text, with additive smoothing.",
        "根据一段文本，用加性平滑估计每个词元之后出现各词元的概率。",
    ),
    arguments={"ids": "(T,) int64", "vocab_size": "int, V", "alpha": "float"},
    result="(V, V), row = previous token, column = next",
    latex=r"p_{uw} = \frac{c_{uw} + \alpha}{\sum_{r=1}^{V} c_{ur} + \alpha V}",
    equations=("additive-smoothing",),
    page="notebooks/01-language-models",
    term=r"\sum_{r=1}^{V} c_{ur} + \alpha V",
    draw=_draw,
    expected=_expected,
    misconceptions=BIGRAM_PROBABILITIES_MISTAKES,
    solutions=BIGRAM_PROBABILITIES_SOLUTIONS,
)

EXERCISES = (BIGRAM_PROBABILITIES,)
