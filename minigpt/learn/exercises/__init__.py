"""The exercises of ``mg.check``, one module for each stage of the course."""

from minigpt.learn.exercises import (
    attention,
    block,
    generation,
    heads,
    language_model,
    loss,
    neuron,
    optimizer,
    positions,
    scale,
    tokens,
    training,
)
from minigpt.learn.exercises.exercise import Exercise
from minigpt.settings import nearest

_STAGES = (language_model, neuron, loss, optimizer, tokens, attention, heads, positions)
#: All exercises, in the order of the course.
CATALOGUE: tuple[Exercise, ...] = tuple(
    exercise for stage in (*_STAGES, block, training, generation, scale) for exercise in stage.EXERCISES
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
