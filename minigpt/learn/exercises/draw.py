"""The inputs that an exercise draws, and the same draw with the smallest sizes and whole numbers."""

import torch
from torch import Tensor

from minigpt.checks import Draw


class ExerciseDraw(Draw):
    """Random sizes, numbers and float32 tensors for one call of the learner's function."""

    def number(self, low: float, high: float) -> float:
        """A real number between two bounds."""
        return low + (high - low) * self.integer(0, 1000) / 1000

    def uniform(self, *shape: int, low: float, high: float) -> Tensor:
        """Real numbers between two bounds."""
        return (low + (high - low) * torch.rand(shape, generator=self.generator, dtype=torch.float64)).to(self.dtype)


class SmallDraw(ExerciseDraw):
    """The same draw for an example that can be worked out by hand: small whole numbers instead of real ones."""

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Whole numbers from -2 to 3."""
        return torch.randint(-2, 4, shape, generator=self.generator).to(self.dtype)
