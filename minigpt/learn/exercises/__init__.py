"""The exercises of ``mg.check``, one module for each stage of the course."""

import importlib
from importlib.util import find_spec

from minigpt.learn.exercises.exercise import Exercise
from minigpt.settings import nearest

STAGES = (
    *("language_model", "neuron", "loss", "optimizer", "tokens", "attention", "heads", "positions"),
    *("block", "training", "generation", "scale"),
)
#: All exercises, in the order of the course.
CATALOGUE: tuple[Exercise, ...] = tuple(
    exercise
    for stage in STAGES
    if find_spec(f"{__name__}.{stage}")
    for exercise in importlib.import_module(f"{__name__}.{stage}").EXERCISES
)


def exercise_named(name: str) -> Exercise:
    """The exercise of a name.

    Args:
        name: such as "softmax".

    Raises:
        ValueError: if there is none; the message has the nearest name.
    """
    known = {exercise.name: exercise for exercise in CATALOGUE}
    if name not in known:
        raise ValueError(f"there is no exercise {name!r}; `minigpt learn` lists them{nearest(name, known)}")
    return known[name]
