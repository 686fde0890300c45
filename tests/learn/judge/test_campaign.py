"""The judge as a classifier; ``judge_campaign.py`` beside it runs the whole of what is sampled here."""

import pytest
from judge_campaign import accepted, also_fits, judged, left_out, matrix, refused

from minigpt.learn.exercises import CATALOGUE
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.judge import Judgement

EVERY = pytest.mark.parametrize("exercise", CATALOGUE, ids=lambda exercise: exercise.name)


@EVERY
def test_every_right_answer_is_accepted(exercise):
    wrong, n = refused([exercise])
    assert n >= 4
    assert wrong == []


@EVERY
def test_every_known_mistake_is_named_as_itself(exercise):
    named = dict(matrix([exercise]))
    print("\n".join(f"{id:60} {', '.join(ids)}" for id, ids in named.items()))
    assert len(named) >= 6
    assert {id: ids for id, ids in named.items() if ids != (id,)} == {}


@EVERY
def test_a_reply_fits_one_mistake_alone(exercise):
    assert list(also_fits(exercise)) == []


@EVERY
def test_mistakes_are_refused_with_other_numbers_too(exercise):
    for seed in (1, 2):
        taken = [m.id for m in exercise.misconceptions if not _fault(exercise, m.slip, seed)]
        assert taken == []


def _fault(exercise, function, seed):
    return Judgement(exercise, Submission(function, isolated=False), seed).fault


def test_random_wrong_functions_are_refused():
    assert accepted(240) == []


def test_an_unknown_mistake_is_refused_and_often_described():
    """One mistake of each exercise is taken out of the catalogue."""
    results = list(left_out((exercise, exercise.misconceptions[0]) for exercise in CATALOGUE))
    assert all(verdict.fault for _, verdict, _ in results)
    named = [mistake.id for mistake, verdict, findings in results if verdict.kind(findings) == mistake.kind]
    print(f"{len(named)} of {len(results)}: {named}")
    assert len(named) >= 10


def test_every_right_answer_of_the_first_stage_passes_in_the_other_process():
    exercise = CATALOGUE[0]
    for solution in exercise.solutions:
        assert not Judgement(exercise, Submission(solution), 0).fault
    assert judged(exercise, exercise.misconceptions[0].slip).fault
