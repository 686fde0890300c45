"""Right answers with one step changed."""

import ast
import dataclasses
import math

import numpy as np
import pytest
import torch
from small_exercises import SOFTMAX

from minigpt.learn.exercises import exercise_named
from minigpt.learn.exercises.exercise import MISTAKE_KINDS
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.diagnoses.edits import edits, every_edit
from minigpt.learn.judge.diagnoses.limited import cpu_seconds
from minigpt.learn.judge.diagnoses.variants import (
    SAYS,
    VARIANTS_LIMIT,
    all_edits,
    matching,
    reproduces,
    variants,
)
from minigpt.learn.judge.replies import judged


def kinds_of(code, new):
    """The kinds of the changes that turn one function into another."""
    tree, wanted = ast.parse(code), ast.unparse(ast.parse(new))
    found = set()
    for edit in edits(tree.body[0]):
        with edit:
            if ast.unparse(ast.fix_missing_locations(tree)) == wanted:
                found.add(edit.kind)
    assert ast.unparse(tree) == ast.unparse(ast.parse(code)), "the tree is as it was"
    return found


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("x * w", "x", "missing"),
        ("exp(x)", "x", "missing"),
        ("x / 2", "x", "scale"),
        ("x + w", "x - w", "sign"),
        ("x * w", "x / w", "sign"),
        ("x.shape[0] ** 0.5", "x.shape[0]", "scale"),
        ("1 - x", "x", "wrong-operand"),
        ("x.T", "_reshaped(x, x.T)", "layout"),
        ("x.unflatten(-1, (2, w))", "x.unflatten(-1, (w, 2)).mT", "layout"),
        ("x + f(g(w))", "x + g(f(w))", "order"),
        ("x + f(g(w))", "g(x + f(w))", "order"),
        ("x * w + w * x", "w * w + x * x", "order"),
        ("x + 2 * w", "2 * (x + w)", "order"),
        ("x / len(x)", "x / _size(w, 0)", "wrong-operand"),
        ("softmax(x)", "softmax(_causal(x))", "mask"),
        ("x + 1", "x", "shift"),
        ("w - x ** 2", "(w - x) ** 2", "order"),
        ("x @ x.T", "x.T @ x", "transposed"),
        ("x @ w", "x @ w + w", "extra"),
        ("x.masked_fill(w, -9.0)", "x.masked_fill(w, 0.0)", "mask"),
        ("x - w", "w - x", "order"),
        ("sqrt(x + w)", "sqrt(x) + w", "order"),
        ("x.sum(-1)", "x.sum(0)", "axis"),
        ("x.sum(dim=-1)", "x.sum(dim=0)", "axis"),
        ("x.mean()", "x.sum()", "scale"),
        ("x * w", "x * x", "wrong-operand"),
        ("x[1:]", "x[:]", "border"),
        ("x < w", "x <= w", "border"),
        ("x < w", "x >= w", "mask"),
        ("x.T", "x", "transposed"),
    ],
)
def test_a_change_has_the_kind_of_the_mistake(right, wrong, kind):
    code = "def f(x, w):\n    return "
    assert kind in kinds_of(code + right, code + wrong)


def test_every_kind_has_a_sentence_and_the_changes_are_numbered_alike():
    solution = exercise_named("layer_norm").solutions[0]
    numbers = [variant.number for variant in variants(solution)]
    assert numbers == sorted(set(numbers))
    assert {all_edits(solution)[n].kind for n in numbers} <= set(SAYS) <= set(MISTAKE_KINDS)


def test_an_unknown_mistake_is_said_to_be_one_changed_step():
    exercise = dataclasses.replace(exercise_named("layer_norm"), misconceptions=())

    def without_root(x, gain, bias, eps):
        return gain * (x - x.mean(-1, True)) / (x.var(-1, unbiased=False, keepdim=True) + eps) + bias

    reply = judged(exercise, Submission(without_root), "en")
    assert (reply.id, reply.kind) == ("generic.step-missing", "missing")
    assert "with one change: sqrt is left out." in reply.says


def test_the_same_change_is_made_in_all_places_of_one_form():
    tree = ast.parse("def f(m, v, b, c):\n    return m / (1 - b) + v / (1 - c)")
    wanted = ast.unparse(ast.parse("def f(m, v, b, c):\n    return m + v"))
    before, kinds = ast.unparse(tree), []
    for edit in every_edit(tree.body[0]):
        with edit:
            if ast.unparse(ast.fix_missing_locations(tree)) == wanted:
                kinds.append(edit.kind)
        assert ast.unparse(tree) == before
    assert kinds == ["missing"]


def test_an_answer_is_compared_with_variants_for_ten_seconds_at_most():
    assert VARIANTS_LIMIT <= 10


def test_an_exercise_of_another_place_with_a_known_name_is_not_taken_for_it():
    reply = judged(dataclasses.replace(SOFTMAX, misconceptions=()), Submission(lambda z: z.exp()), "en")
    assert not reply.id.startswith("generic.step")


def test_an_endless_variant_is_stopped():
    def endless(given):
        for item in given:
            given.append(item)

    with cpu_seconds(0.05):
        assert not reproduces(endless, [0], False, [(([1.0],), [])])


def test_mistakes_of_an_exercise_with_loops_that_may_become_endless_are_judged():
    exercise = dataclasses.replace(exercise_named("bpe_encode"), misconceptions=())
    place = len(exercise.solutions) - 1
    assert matching("bpe_encode", place, [0], True, [(([97, 97, 98], [(97, 97)]), [np.array([1.0])])]) == []


def test_a_step_is_not_called_an_argument_that_the_answer_assigns_anew():
    function = ast.parse("def f(x, y):\n    x = x + y\n    return x").body[0]
    named = {edit.concerns.en for edit in edits(function)}
    assert "y" in named
    assert "x" not in named


@pytest.mark.parametrize(
    ("name", "function", "id"),
    [
        (
            "scaled_attention",
            lambda q, k, v, mask: torch.softmax((q @ k.mT).masked_fill(~mask, -math.inf), -1) @ v,
            "generic.step-missing",
        ),
        (
            "sampling_probabilities",
            lambda z, tau, k, p: exercise_named("sampling_probabilities").solutions[0](z, 1 / tau, k, p),
            "generic.inverse-argument",
        ),
    ],
)
def test_a_step_or_an_operation_says_more_than_a_factor(name, function, id):
    unknown = dataclasses.replace(exercise_named(name), misconceptions=())
    reply = judged(unknown, Submission(function, isolated=False), "en")
    assert (reply.id, reply.kind) == (id, {"step-missing": "missing", "inverse-argument": "sign"}[id.split(".")[1]])
