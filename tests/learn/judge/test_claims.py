"""Each generic diagnosis is true: an independent look at the numbers finds the same."""

import dataclasses

import pytest
import torch
from claims import is_true
from judge_campaign import judged

from minigpt.learn.exercises import exercise_named
from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Diagnosis, numbers
from minigpt.learn.judge.diagnoses.all_diagnoses import generic
from minigpt.learn.judge.diagnoses.evidence import Evidence


def weights(v):
    return torch.softmax(v @ v.T, -1)


def hide_diagonal(v):
    return torch.softmax((v @ v.T).fill_diagonal_(-torch.inf), -1) if len(v) > 1 else weights(v)


def causal_weights(v):
    return torch.softmax((v @ v.T).tril() - 99 * torch.ones_like(v @ v.T).triu(1), -1)


def in_halves(length, width, base):
    table = torch.as_tensor(exercise_named("sinusoidal_positions").solutions[0](length, width, base))
    return torch.cat((table[:, ::2], table[:, 1::2]), -1)


def fixed_base(length, width, base):
    return exercise_named("sinusoidal_positions").solutions[0](length, width, 10_000.0)


def over_queries(q, k, v, mask):
    return torch.softmax((q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask, -1e9), -2) @ v


FUNCTIONS = (
    ("attention_weights", lambda v: weights(v).T, "transposed"),
    ("attention_weights", lambda v: weights(v).flip(-1), "reversed"),
    ("attention_weights", lambda v: weights(v).roll(1, -1), "shifted"),
    ("attention_weights", lambda v: weights(v) * 3.7, "scaled"),
    ("attention_weights", lambda v: weights(v) * len(v), "factor"),
    ("attention_weights", lambda v: weights(v) - 0.1, "offset"),
    ("attention_weights", lambda v: -weights(v), "negated"),
    ("attention_weights", lambda v: weights(v).mean(0, keepdim=True).expand(len(v), len(v)), "equal-rows"),
    ("attention_weights", lambda v: weights(v) / weights(v).norm(dim=-1, keepdim=True), "unnormalised"),
    ("attention_weights", lambda v: weights(v) / len(v), "normalised-elsewhere"),
    ("attention_weights", causal_weights, "hidden"),
    ("attention_weights", hide_diagonal, "hidden"),
    ("attention_weights", lambda v: weights(v).sort(-1).values, "sorted"),
    ("attention_weights", lambda v: weights(v) + 0.5 * (weights(v) > 0.3), "same-number"),
    ("sinusoidal_positions", in_halves, "regrouped"),
    ("sinusoidal_positions", fixed_base, "fixed-number"),
    ("scaled_attention", over_queries, "leak"),
    ("scaled_attention", lambda q, k, v, m: torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v, "ignored-mask"),
    ("causal_mask", lambda t, s: torch.ones(t, s).tril().bool(), "equal-sizes-only"),
    ("learning_rate", lambda t, high, low, w, s: low + (high - low) * t / s if t > w else high * t / w, "branch"),
    ("adamw_step", lambda *a: exercise_named("adamw_step").solutions[0](*a[:-1], 0.0), "zero-argument"),
)  # fmt: skip


def findings_of(name, function):
    exercise = exercise_named(name)
    submission = Submission(function, isolated=False)
    verdict = judged(dataclasses.replace(exercise, misconceptions=()), function)
    got = [numbers(o.result, t) for o, t in zip(verdict.outcomes, verdict.trials, strict=True)]
    return exercise, verdict, list(generic(Evidence(exercise, verdict.trials, tuple(got)), submission))


@pytest.mark.parametrize(("name", "function", "id"), FUNCTIONS, ids=[f"{id}-{name}" for name, _, id in FUNCTIONS])
def test_every_diagnosis_of_a_wrong_function_is_true(name, function, id):
    exercise, verdict, found = findings_of(name, function)
    assert f"generic.{id}" in [finding.id for finding in found]
    truths = {f.id: is_true(exercise, verdict, function, f) for f in found}
    assert truths[f"generic.{id}"] is True
    assert False not in truths.values(), truths


@pytest.mark.parametrize("id", ["transposed", "reversed", "shifted", "layout", "negated", "signs", "equal-rows"])
def test_a_false_claim_is_seen(id):
    function = hide_diagonal
    verdict = judged(exercise_named("attention_weights"), function)
    false = Diagnosis(f"generic.{id}", "", Words("one position too late along the last axis", ""))
    assert is_true(exercise_named("attention_weights"), verdict, function, false) is False
