"""What the tests of exercises share: the values of an attempt as float64 arrays, and whether two are equal."""

import copy

import numpy as np
import torch

from minigpt.learn.exercises.draw import ExerciseDraw


def arrays(result, many=False):
    """A result of any kind as a list of float64 arrays; ``many`` if it has several parts."""
    parts = result if many else (result,)
    return [np.asarray(part.detach() if isinstance(part, torch.Tensor) else part, dtype=np.float64) for part in parts]


def inputs(exercise, seed, draw=ExerciseDraw):
    return exercise.draw(draw.seeded(seed, torch.float32))


def values(exercise, attempt, given):
    """What an attempt returns on copies of the inputs."""
    return arrays(attempt(*copy.deepcopy(given)), many="), " in exercise.result)


def equal(found, wanted):
    """Equal within the tolerance of the exercises; NaN is equal to NaN."""
    return len(found) == len(wanted) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(found, wanted, strict=True)
    )
