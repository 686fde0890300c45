"""Answers that the judge was not written for; ``held_out_campaign.py`` beside it prints what is said to each."""

from collections import Counter

import pytest
from held_out_campaign import refused_right
from held_out_right import RIGHT
from held_out_wrong import WRONG
from judge_campaign import judged

from minigpt.learn.exercises import CATALOGUE, exercise_named

NAMES = [exercise.name for exercise in CATALOGUE]


def test_each_exercise_has_two_right_and_two_wrong_ones():
    twice = dict.fromkeys(NAMES, 2)
    assert Counter(name for name, _ in RIGHT) == twice
    assert Counter(name for name, *_ in WRONG) == twice


@pytest.mark.parametrize("exercise", NAMES)
def test_right_answers_in_odd_styles_are_accepted(exercise):
    assert list(refused_right([answer for answer in RIGHT if answer[0] == exercise])) == []


@pytest.mark.parametrize("exercise", NAMES)
def test_wrong_answers_are_refused_and_known_mistakes_named(exercise):
    for name, id, _, function in WRONG:
        if name == exercise:
            verdict = judged(exercise_named(name), function)
            assert verdict.fault
            assert not id or [known.id for known in verdict.known] == [id]
