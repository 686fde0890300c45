"""What a check is, and the random inputs that it draws."""

import copy
import math
import random
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)

#: The inputs of the equation, and the result of the function: one value, or a value for each row of a system.
Case = tuple[dict[str, Any], Any]
#: From the implementing function and a draw: a case.
Check = Callable[[Any, "Draw"], Case]
#: From the name of each equation to its check.
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Pair a check with the equation of its name, ``layer-norm`` for ``layer_norm``.

    Args:
        function: maps the implementing function and a :class:`Draw` to the inputs of the equation and the result of
            the function.
    """
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


class Draw:
    """Random sizes, settings and tensors.

    Args:
        integer: returns a random integer between two bounds, both included; the only source of randomness.
        dtype: of the tensors.
    """

    def __init__(self, integer: Callable[[int, int], int], dtype: torch.dtype = torch.float64) -> None:
        self.integer, self.dtype = integer, dtype
        self.generator = torch.Generator().manual_seed(integer(0, 2**31 - 1))

    @classmethod
    def seeded(cls, seed: int, dtype: torch.dtype = torch.float64) -> Self:
        """The same draw for the same seed."""
        return cls(random.Random(seed).randint, dtype)

    @property
    def wide(self) -> torch.dtype:
        """The dtype, at least float32."""
        return torch.promote_types(self.dtype, torch.float32)

    def size(self, low: int = 1, high: int = 4) -> int:
        """A length; small, since the literal evaluation is slow."""
        return self.integer(low, high)

    def choice(self, options: Sequence[T]) -> T:
        """One of several values."""
        return options[self.integer(0, len(options) - 1)]

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Normal numbers, rounded to the dtype: the equation and the function get the same ones."""
        return (scale * torch.randn(shape, generator=self.generator, dtype=torch.float64)).to(self.dtype)

    def probabilities(self, *shape: int) -> Tensor:
        """Distributions over the last axis, without zeros."""
        return torch.softmax(self.normal(*shape).double(), -1).to(self.dtype)

    def sixteenths(self, n: int) -> Tensor:
        """Multiples of 1/16 that add up to 1, exactly in every dtype; some are equal, some are 0."""
        drawn = torch.randint(n, (16,), generator=self.generator)
        return (torch.bincount(drawn, minlength=n) / 16).to(self.dtype)

    def ids(self, *shape: int, below: int) -> Tensor:
        """Token ids, counted from 0."""
        return torch.randint(below, shape, generator=self.generator)

    def filled(self, module: M) -> M:
        """The module in the dtype, with random parameters."""
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(self.normal(*parameter.shape, scale=1 / math.sqrt(parameter.shape[-1])))
        return module.to(self.dtype)


def literal(module: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """The module in float64, as a function of an array without a batch axis, for use in an equation."""
    exact = copy.deepcopy(module).double()
    return lambda x: exact(torch.from_numpy(x).unsqueeze(0)).squeeze(0).detach().numpy()
