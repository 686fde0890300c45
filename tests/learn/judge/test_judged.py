"""Right is right in every form, a known mistake is named, and of an unknown one something true is said."""

import dataclasses

import numpy as np
import pytest
import torch
from small_exercises import MASK, SOFTMAX, SPREAD, exercise

from minigpt.learn.exercises import exercise_named
from minigpt.learn.exercises.exercise import MISTAKE_KINDS
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.judge import CALLS, Judgement, trials
from minigpt.learn.judge.replies import judged


def reply_to(function, of=SOFTMAX, lang="en", seed=0):
    return judged(of, Submission(function, isolated=False), lang, seed)


def unknown(of):
    """The exercise without its misconceptions."""
    return dataclasses.replace(of, misconceptions=())


def test_at_least_eight_calls_decide_and_the_same_seed_gives_the_same():
    assert CALLS >= 8
    one, other, third = trials(SOFTMAX, 0), trials(SOFTMAX, 0), trials(SOFTMAX, 1)
    assert all(torch.equal(a.arguments[0], b.arguments[0]) for a, b in zip(one, other, strict=True))
    assert not all(np.array_equal(a.expected[0], b.expected[0]) for a, b in zip(one, third, strict=True))


def test_a_right_answer_is_truthy_and_shows_a_solution():
    reply = reply_to(lambda z: torch.softmax(z, -1))
    assert reply
    assert reply.id == "right"
    assert "def softmax(z):" in str(reply)
    assert len(reply.solutions) == 2


def test_a_wrong_answer_shows_no_solution():
    reply = reply_to(lambda z: torch.softmax(z, 0))
    assert not reply.solutions
    everything = str(reply) + reply._repr_html_() + str(reply.hint(1)) + str(reply.hint(2)) + str(reply.to_json())
    assert "torch" not in everything
    assert "amax" not in everything


def test_a_known_mistake_is_named_with_its_smallest_example():
    reply = reply_to(lambda z: z.exp() / z.exp().sum(0))
    assert reply.id == "softmax.first-axis"
    assert reply.kind == "axis"
    assert "This is softmax.first-axis." in reply.says
    assert "expected" in str(reply) and "got" in str(reply)


def test_two_mistakes_that_give_the_same_numbers_are_both_named():
    reply = reply_to(lambda x, eps: (x.mean(), x.var() + eps), SPREAD)
    assert reply.ids == ("spread.divided-by-n-minus-one", "spread.twin")
    assert reply.kind == "scale"
    assert reply.says.startswith("2 known mistakes give exactly these numbers.")


def test_a_mistake_is_named_only_if_it_gives_the_numbers_on_all_calls():
    """Wrong as the first mistake is for most sizes, but not for all."""
    reply = reply_to(lambda z: torch.softmax(z, 0) if len(z) > 2 else z)
    assert "softmax.first-axis" not in reply.ids


def test_what_is_wrong_in_few_calls_alone_is_still_found():
    """About one call in sixty has this shape."""
    rare = reply_to(lambda z: z if tuple(z.shape) == (4, 5) and z[0, 0] > 0 else torch.softmax(z, -1))
    assert not rare


def test_the_hints_are_two_and_the_third_is_refused():
    reply = reply_to(lambda z: torch.softmax(z, 0))
    assert "This is softmax.first-axis." in str(reply.hint(1))
    assert r"«\sum_{k=1}^{V} \exp(z_k)»" in str(reply.hint(2))
    assert "notebooks/01-language-models" in str(reply.hint(2))
    with pytest.raises(ValueError, match=r"there is no hint 3; this reply has hint\(1\), hint\(2\)"):
        reply.hint(3)


VECTOR = exercise(
    "vector",
    arguments={"x": "(N, D) float32", "w": "(N, D) float32", "eps": "float"},
    result="(N, D)",
    latex="y = x w + eps",
    draw=lambda d: _vector(d.size(2, 4), d),
    expected=lambda x, w, eps: x.double().numpy() * w.double().numpy() + eps,
)


def _vector(n, d):
    return d.normal(n, n + 1), d.normal(n, n + 1), d.number(0.5, 1.5)


def _right(x, w, eps):
    return x * w + eps


@pytest.mark.parametrize(
    ("function", "id", "kind"),
    [
        (lambda x, w, eps: _right(x, w, eps).flip(-1), "generic.reversed", "order"),
        (lambda x, w, eps: _right(x, w, eps).roll(1, -1), "generic.shifted", "shift"),
        (lambda x, w, eps: _right(x, w, eps).roll(-1, 0), "generic.shifted", "shift"),
        (lambda x, w, eps: _right(x, w, eps).mT.contiguous(), "generic.transposed", "transposed"),
        (lambda x, w, eps: _right(x, w, eps).reshape(-1), "generic.reshaped", "layout"),
        (lambda x, w, eps: _right(x, w, eps).mT.reshape(x.shape), "generic.layout", "layout"),
        (lambda x, w, eps: -_right(x, w, eps), "generic.negated", "sign"),
        (lambda x, w, eps: 2 * _right(x, w, eps), "generic.factor", "scale"),
        (lambda x, w, eps: _right(x, w, eps) / x.shape[1] ** 0.5, "generic.factor", "scale"),
        (lambda x, w, eps: _right(x, w, eps) * x.shape[1] / (x.shape[1] - 1), "generic.factor", "scale"),
        (lambda x, w, eps: _right(x, w, eps) + 0.5, "generic.offset", "constant"),
        (lambda x, w, eps: _right(x, w, eps).exp(), "generic.exponential", "missing"),
        (lambda x, w, eps: _right(x, w, eps).round(), "generic.rounded", "dtype"),
        (lambda x, w, eps: _right(x, w, eps).sum(0), "generic.reduced", "extra"),
        (lambda x, w, eps: _right(x, w, 0), "generic.zero-argument", "missing"),
        (lambda x, w, eps: _right(x, x, eps), "generic.replaced", "wrong-operand"),
        (lambda x, w, eps: _right(x, -w, eps), "generic.negated-argument", "sign"),
        (lambda x, w, eps: torch.cat([_right(x, w, eps)[:1] + 1, _right(x, w, eps)[1:]]), "generic.border", "border"),
    ],
)  # fmt: skip
def test_an_unknown_mistake_is_described_by_what_turns_the_right_result_into_it(function, id, kind):
    reply = reply_to(function, VECTOR)
    assert (reply.id, reply.kind) == (id, kind), str(reply)
    assert kind in MISTAKE_KINDS


def test_a_factor_is_named_by_the_size_it_follows_from():
    assert "1/√D times" in reply_to(lambda x, w, eps: _right(x, w, eps) / x.shape[1] ** 0.5, VECTOR).says
    assert (
        "D/(D - 1) times" in reply_to(lambda x, w, eps: _right(x, w, eps) * x.shape[1] / (x.shape[1] - 1), VECTOR).says
    )


def test_an_argument_that_is_not_used_is_named():
    reply = reply_to(lambda x, w, eps: torch.sin(x) + torch.sin(torch.tensor(eps)), VECTOR)
    assert reply.id == "generic.independent"
    assert "does not depend on w" in reply.says


def test_a_value_of_the_future_that_matters_is_named():
    causal = exercise(
        "causal",
        arguments={"x": "(T,) float32"},
        result="(T,)",
        latex="y",
        draw=lambda d: (d.normal(d.size(3, 6)),),
        expected=lambda x: np.cumsum(np.tanh(x.double().numpy())),
    )
    reply = reply_to(lambda x: torch.cumsum(torch.tanh(x), 0) + x.max() ** 2 * torch.sin(x + x[-1]), causal)
    assert reply.kind == "mask"
    assert "in the formula it does not" in reply.says


def test_rows_that_sum_to_one_over_another_axis_are_told_from_rows_without_a_division():
    of = dataclasses.replace(unknown(SOFTMAX), solutions=())
    assert reply_to(lambda z: z.exp(), of).kind == "missing"
    whole = reply_to(lambda z: z.exp() / z.exp().sum(), of)
    assert (whole.id, whole.kind) == ("generic.normalised-elsewhere", "axis")


def test_of_a_mistake_without_any_pattern_the_first_difference_and_the_broken_property_are_said():
    reply = reply_to(lambda z: torch.sin(z * 3) * z.abs() ** 1.3 + 0.1 * z**2, unknown(SOFTMAX))
    assert reply.id == "unknown"
    assert reply.says.startswith("At [0, 0] the result is ")
    assert "does not sum to 1 along the last axis" in str(reply)


def test_right_values_of_another_dtype_are_no_other_mistake():
    reply = reply_to(lambda n: torch.ones(n, n).tril(), MASK)
    assert reply.id == "failure.dtype"
    assert "bool" in reply.says


def test_several_results_are_judged_each():
    reply = reply_to(lambda x, eps: (x.mean(), -x.var(unbiased=False) - eps), unknown(SPREAD))
    assert reply.id == "generic.negated"


def test_a_reply_is_the_same_each_time():
    def function(z):
        return torch.softmax(z, 0)

    assert str(reply_to(function)) == str(reply_to(function))


def test_random_wrong_functions_are_never_accepted():
    generator = torch.Generator().manual_seed(0)
    accepted = 0
    for _ in range(150):
        a, b, c = (x + 0.2 * (1 if x > 0 else -1) for x in torch.randn(3, generator=generator).tolist())
        kind = int(torch.randint(4, (1,), generator=generator))
        functions = (
            lambda z, a=a: torch.softmax(z * (1 + 0.01 * a), -1),
            lambda z, a=a: torch.softmax(z, -1) + 1e-3 * a,
            lambda z, b=b: torch.softmax(z, -1) ** (1 + 0.01 * b),
            lambda z, a=a, b=b, c=c: torch.tanh(a * z + b) * c,
        )
        accepted += not Judgement(SOFTMAX, Submission(functions[kind], isolated=False), 0).fault
    assert accepted == 0


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("function", [lambda z: torch.softmax(z, 0), lambda z: None, lambda z: 2 * z, lambda z: z.mT])
def test_a_reply_fits_a_terminal_and_a_screen(function, lang):
    from minigpt.settings.language import columns_of

    lines = str(reply_to(function, lang=lang)).split("\n")
    assert len(lines) <= 24
    assert max(map(columns_of, lines)) <= 80


def test_the_entry_that_differs_is_shown_as_what_it_is():
    def strict(n_queries, n_keys):
        return torch.arange(n_keys) < torch.arange(n_queries)[:, None] + n_keys - n_queries

    assert "expected True, got False" in str(reply_to(strict, exercise_named("causal_mask")))

    def tripled(x, w_q, w_k, w_v, k_cache, v_cache):
        keys, values = torch.cat((k_cache, (x @ w_k)[None])), torch.cat((v_cache, (x @ w_v)[None]))
        return torch.softmax(keys @ (x @ w_q) / keys.shape[1] ** 0.5, 0) @ values * 3, keys, values

    assert "out [0]：应为" in str(reply_to(tripled, exercise_named("kv_cache_step"), "zh"))
