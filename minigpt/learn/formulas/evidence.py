"""The values of a derivative that was worked out by hand, beside those of the derivative, and what may be claimed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.formulas.derivative import Drawn

#: What a numerical derivative may be off by, relative to its largest entry.
DERIVATIVE_TOLERANCE = 1e-6

#: What the learner's values would be if a claim were true: from a draw and the derivative there.
Guess = Callable[[Drawn, np.ndarray], Any]


@dataclass(frozen=True)
class Slip:
    """A claim: a stable id, its kind in `MISTAKE_KINDS`, and a sentence."""

    id: str
    kind: str
    says: Words


def slip(name: str, kind: str, words: Words, /, **parts: str) -> Slip:
    """A claim whose sentence has its parts filled in."""
    return Slip(f"gradient.{name}", kind, Words(words.en.format(**parts), words.zh.format(**parts)))


@dataclass(frozen=True, eq=False)
class WorkedOut:
    """The learner's values and the derivative at each draw.

    Args:
        symbol: with respect to which the derivative is.
        drawn: the draws.
        found: the learner's values.
        expected: the derivative.
    """

    symbol: str
    drawn: Sequence[Drawn]
    found: Sequence[np.ndarray]
    expected: Sequence[np.ndarray]

    def fits(self, guess: Guess) -> bool:
        """Whether a guess gives the learner's values at all draws."""
        for drawn, found, expected in zip(self.drawn, self.found, self.expected, strict=True):
            guessed = guess(drawn, expected)
            if guessed is None or not near(found, guessed):
                return False
        return True

    def lacks(self, factor: Callable[[Drawn, np.ndarray], Any]) -> bool:
        """Whether the learner's values are the derivative once they are multiplied by a factor."""
        multiplied = [value * factor(drawn, value) for drawn, value in zip(self.drawn, self.found, strict=True)]
        return replace(self, found=multiplied).is_right

    @property
    def is_right(self) -> bool:
        """Whether the learner's values are those of the derivative."""
        return self.fits(lambda _, expected: expected)

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> "WorkedOut":
        """The evidence with the learner's values changed."""
        return replace(self, found=[change(value) for value in self.found])


def near(found: Any, expected: Any) -> bool:
    """Whether two arrays have one shape and agree to what a numerical derivative may be off by."""
    if np.shape(found) != np.shape(expected) or not np.isfinite(found).all():
        return False
    scale = max(float(np.max(np.abs(expected), initial=0.0)), 1e-3)
    return bool(np.max(np.abs(np.subtract(found, expected)), initial=0.0) <= DERIVATIVE_TOLERANCE * scale)
