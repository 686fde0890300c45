"""What is seen in the results: exchanged, given back, sorted, regrouped, hidden, off by one number; and in a part."""

import dataclasses

import pytest
import torch
from small_exercises import SPREAD, exercise

from minigpt.learn.exercises import exercise_named
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.replies import judged


def reply_to(function, of, lang="en"):
    return judged(dataclasses.replace(of, misconceptions=()), Submission(function, isolated=False), lang)


ROWS = exercise(
    "rows",
    arguments={"x": "(N, D) float32", "c": "float"},
    result="(N, D)",
    latex="y = x + c",
    draw=lambda d: (d.normal(d.size(1, 3), 2 * d.size(2, 3)), d.number(0.5, 1.5)),
    expected=lambda x, c: x.double().numpy() * (1 + c) + c,
)


def right(x, c):
    return x * (1 + c) + c


@pytest.mark.parametrize(
    ("function", "id", "kind", "words"),
    [
        (lambda x, c: x, "given-back", "missing", "is the argument x as it was given"),
        (lambda x, c: right(x, c).sort(-1).values, "sorted", "order", "sorted in rising order"),
        (lambda x, c: right(x, c).sort(-1, descending=True).values, "sorted", "order", "sorted in falling order"),
        (lambda x, c: right(x, c).unflatten(-1, (-1, 2)).flip(-1).flatten(-2), "regrouped", "order", "of each pair"),
        (lambda x, c: right(x, c).unflatten(-1, (-1, 2)).flip(-2).flatten(-2), "regrouped", "order", "opposite order"),
        (lambda x, c: right(x, c).unflatten(-1, (-1, 2)).mT.flatten(-2), "regrouped", "layout", "even index"),
        (lambda x, c: right(x, c).unflatten(-1, (2, -1)).mT.flatten(-2), "regrouped", "layout", "halves"),
        (lambda x, c: right(x, c) + 3 * (x > 0), "same-number", "constant", "Every wrong value is 3 too large"),
        (lambda x, c: right(x, 10_000.0), "fixed-number", "wrong-operand", "with c = 10000"),
    ],
)  # fmt: skip
def test_a_pattern_is_named(function, id, kind, words):
    reply = reply_to(function, ROWS)
    assert (reply.id, reply.kind) == (f"generic.{id}", kind), str(reply)
    assert words in reply.says


def test_results_in_another_order_are_named():
    reply = reply_to(lambda x, eps: (x.var(unbiased=False) + eps, x.mean()), SPREAD)
    assert (reply.id, reply.kind) == ("generic.exchanged-results", "order")
    assert "in the order 2, 1" in reply.says


def test_a_diagnosis_of_the_calls_with_a_finite_result_says_so():
    def function(x, c):
        return torch.full_like(x, torch.nan) if c > 1.1 else right(x, -c)

    reply = reply_to(function, ROWS)
    assert (reply.id, reply.kind) == ("generic.negated-argument", "sign")
    assert reply.says.startswith("In the calls with a finite result: The result is what the formula gives with -c")


def test_a_diagnosis_of_the_calls_that_are_wrong_says_so():
    reply = reply_to(lambda x, c: right(x, -c) if c > 1 else right(x, c), ROWS)
    assert reply.kind == "sign"
    assert reply.says.startswith("In the calls that are wrong: ")


@pytest.mark.parametrize("make", [torch.triu, lambda ones: torch.triu(ones, 1), lambda ones: ones.roll(1, -1)])
def test_a_mask_that_shows_the_future_is_said_to_show_the_future(make):
    def function(n_queries, n_keys):
        return make(torch.ones(n_queries, n_keys)).bool()

    of = exercise_named("causal_mask")
    known = judged(of, Submission(function, isolated=False), "en")
    assert "future" in known.says or "hidden" in known.says
    reply = reply_to(lambda t, s: torch.ones(t, s).triu().bool(), of)
    assert (reply.id, reply.kind) == ("generic.mask", "mask")
    assert "so that a query sees the future" in reply.says


def test_the_same_change_in_several_places_is_one_mistake():
    """Both moments without their correction."""

    def uncorrected(param, grad, m, v, t, lr, beta1, beta2, eps, decay):
        m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
        return param - lr * (m / (v.sqrt() + eps) + decay * param), m, v

    of = dataclasses.replace(exercise_named("adamw_step"), misconceptions=())
    assert judged(of, Submission(uncorrected), "en").id == "generic.step-missing"
