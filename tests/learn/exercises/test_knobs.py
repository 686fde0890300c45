"""Each plain number that an exercise passes matters: an answer that writes a constant in its place is refused."""

import pytest

from minigpt.learn.exercises import CATALOGUE
from minigpt.learn.judge.compare import all_close
from minigpt.learn.judge.judge import results_of, trials

#: What papers and libraries write for such numbers.
USUAL = {int: (0, 1, 2), float: (0.0, 1.0, 0.9, 0.95, 0.99, 0.999, 1e-8, 1e-5, 0.1, 10_000.0)}
KNOBS = [
    (exercise, place)
    for exercise in CATALOGUE
    for place, value in enumerate(trials(exercise, 0)[0].arguments)
    if isinstance(value, int | float)
]
EVERY = pytest.mark.parametrize(
    ("exercise", "place"),
    KNOBS,
    ids=[f"{exercise.name}-{list(exercise.arguments)[place]}" for exercise, place in KNOBS],
)


def values_of(exercise, place):
    return {trial.arguments[place] for trial in trials(exercise, 0)}


@EVERY
def test_the_calls_that_decide_have_several_values_of_each_number(exercise, place):
    assert len(values_of(exercise, place)) >= 3


@EVERY
def test_a_constant_in_the_place_of_a_number_is_refused(exercise, place):
    usual, taken = USUAL[type(trials(exercise, 0)[0].arguments[place])], []
    for constant in sorted(values_of(exercise, place).union(usual)):

        def fixed(*arguments, constant=constant):
            return exercise.solutions[0](*arguments[:place], constant, *arguments[place + 1 :])

        if all(all_close(results_of(fixed, trial), trial.expected) for trial in trials(exercise, 0)):
            taken.append(constant)
    assert taken == []
