r"""Spikes: steps whose loss or gradient norm lies far above what was usual up to now.

Dimensions: n values before.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from minigpt.equations import Equation, equation

MEMORY = 0.98  # a value counts half after 34 steps
LEAST = 50  # values before any is called a spike


@equation(
    "spike-score",
    r"z = \frac{x - \mu}{\sigma}",
    where=[
        r"\mu = \frac{\sum_{i=1}^{n} \beta^{n - i} y_i}{\sum_{i=1}^{n} \beta^{n - i}}",
        r"\sigma = \sqrt{\frac{\sum_{i=1}^{n} \beta^{n - i} (y_i - \mu)^2}{\sum_{i=1}^{n} \beta^{n - i}}}",
    ],
    symbols={
        "x": "() value of this step",
        "y": "(n) values of the steps before it that changed the weights",
        r"\mu": "() their mean, the newest weighing most",
        r"\sigma": "() their standard deviation",
        r"\beta": "() how slowly they are forgotten",
        "z": "() standard deviations above the mean",
    },
    source="after Kumar et al. 2025, arXiv:2504.02507 (ZClip), which clips what is skipped here",
)
@dataclass
class Usual:
    """What a value usually is, brought up to date one value at a time.

    Attributes:
        memory: β.
        count: n.
        weight: the sum of the powers of β.
        mean: μ.
        spread: the numerator below the root.
    """

    equation: ClassVar[Equation]
    memory: float = MEMORY
    count: int = 0
    weight: float = 0.0
    mean: float = 0.0
    spread: float = 0.0

    def score(self, x: float) -> float:
        """z: how many standard deviations ``x`` lies above the mean; 0 before the first value."""
        if self.count == 0:
            return 0.0
        deviation = math.sqrt(self.spread / self.weight)
        return (x - self.mean) / deviation if deviation > 0 else math.copysign(math.inf, x - self.mean)

    def add(self, y: float) -> None:
        """Take one more value into account."""
        self.count += 1
        self.weight = self.memory * self.weight + 1
        before = y - self.mean
        self.mean += before / self.weight
        self.spread = self.memory * self.spread + before * (y - self.mean)


@dataclass
class SpikeWatch:
    """Whether a step is a spike, by its loss and by its gradient norm.

    Attributes:
        threshold: in standard deviations; ``None`` means that nothing is a spike.
        loss: what the loss usually is.
        norm: what the gradient norm usually is.
        in_a_row: spikes in a row, up to now.
    """

    threshold: float | None
    loss: Usual = field(default_factory=Usual)
    norm: Usual = field(default_factory=Usual)
    in_a_row: int = 0

    def is_spike(self, loss: float, norm: float) -> bool:
        """Whether one of the two lies more than the threshold above its mean; never among the first 50 steps."""
        if self.threshold is None or self.loss.count < LEAST:
            return False
        return max(self.loss.score(loss), self.norm.score(norm)) > self.threshold

    def add(self, loss: float, norm: float) -> None:
        """Take the figures of a step that changes the weights as usual."""
        self.loss.add(loss)
        self.norm.add(norm)
        self.in_a_row = 0

    def start_anew(self) -> None:
        """Forget what was usual."""
        self.loss, self.norm = Usual(), Usual()
