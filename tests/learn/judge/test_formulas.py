"""A formula is judged as a function is: right, a known mistake, or a place that can't be read."""

import re
import sys
from pathlib import Path

import pytest
import torch

import minigpt as mg
from minigpt.learn.exercises import CATALOGUE
from minigpt.learn.formulas.notations import NOTATIONS
from minigpt.learn.formulas.statements import from_one, one_formula

sys.path.append(str(Path(__file__).parents[1] / "formulas"))
from exercise_formulas import FORMULAS

#: Its formula is a question: what is shown has no derivative in it.
QUESTION = "neuron_gradients"
WITH_FORMULA = [exercise for exercise in CATALOGUE if exercise.name in NOTATIONS]


def test_twenty_one_exercises_take_a_formula():
    assert len(WITH_FORMULA) == 21


@pytest.mark.parametrize("exercise", [e for e in WITH_FORMULA if e.name != QUESTION], ids=lambda e: e.name)
def test_the_formula_that_an_exercise_shows_is_right_as_it_is(exercise):
    reply = getattr(mg.check, exercise.name)(exercise.latex, lang="en")
    assert reply, str(reply)


def test_a_question_is_no_answer_but_the_derivatives_are():
    shown = mg.check.neuron_gradients(mg.check.neuron_gradients.exercise.latex, lang="en")
    assert shown.id == "formula.unreadable"
    assert mg.check.neuron_gradients(FORMULAS[QUESTION], lang="en")


@pytest.mark.parametrize(
    ("name", "latex", "function"),
    [
        (
            "attention_weights",
            r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_k \cdot v_j)}",
            lambda v: torch.softmax(v @ v.T, 0),
        ),
        (
            "self_attention",
            r"v'_i = \sum_{j=1}^{n} a_{ji} v_j, \quad "
            r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}",
            lambda v: torch.softmax(v @ v.T, -1).T @ v,
        ),
        (
            "scaled_attention",
            r"o_t = \sum_{s=1}^{S} a_{ts} v_s, \quad a_{ts} = \frac{m_{ts} \exp(q_t \cdot k_s)}"
            r"{\sum_{r=1}^{S} m_{tr} \exp(q_t \cdot k_r)}",
            lambda q, k, v, mask: torch.softmax((q @ k.mT).masked_fill(~mask, -torch.inf), -1) @ v,
        ),
        (
            "clip_gradients",
            r"N_k = \sqrt{\lVert g_k \rVert^2}, \quad g'_k = g_k \min(1, \frac{c}{N_k})",
            lambda gradients, limit: [g * min(1, limit / max(float(g.norm()), 1e-30)) for g in gradients],
        ),
        ("softmax", r"\frac{z_i}{\sum_{k} z_k}", lambda z: z.double() / z.double().sum(-1, keepdim=True)),
    ],
)  # fmt: skip
def test_a_slip_in_a_formula_gets_the_diagnosis_of_the_function(name, latex, function):
    check = getattr(mg.check, name)
    formula, same = check(latex, lang="en"), check(function, lang="en")
    assert not formula
    assert not formula.id.startswith(("formula", "failure"))
    assert (formula.id, formula.says) == (same.id, same.says)


def test_only_the_evaluation_of_a_formula_may_overflow():
    literal = r"p_i = \frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)}"
    assert "exp overflows" in mg.check.softmax(literal, lang="en").says
    assert "上溢" in mg.check.softmax(literal, lang="zh").says
    assert mg.check.softmax(lambda z: z.exp() / z.exp().sum(-1, keepdim=True), lang="en").id == "softmax.overflow"


@pytest.mark.parametrize("latex", [r"p_i = \frac{z_i}{0 z_i}", r"p_i = \exp(z_i^2 10000) + 1"])
def test_a_formula_that_is_never_finite_is_wrong(latex):
    assert not mg.check.softmax(latex, lang="en")


@pytest.mark.parametrize(
    ("name", "latex", "id", "told", "at"),
    [
        ("softmax", r"p_i = \frac{\exp(z_i)}{", "formula.unreadable", ("ends too early", "提前结束"), None),
        ("softmax", r"p_i = \exp(z_i) + q", "formula.unreadable", ("q has no meaning here", "q 在这里没有含义"), "q"),
        ("softmax", "p_i = z_i " * 30 + "?", "formula.unreadable", ("has one =", "只有一个 ="), "="),
        (
            "softmax",
            r"p_i = z_i \sum_{k=1}^{99999999} 1",
            "formula.no-value",
            ("100,900,017 operations", "100,900,017 次运算"),
            r"\sum",
        ),
        ("bpe_encode", "x", "formula.procedure", ("is a procedure, not one formula", "不是一个公式"), None),
    ],
)
def test_a_formula_without_a_value_gets_a_reply_that_shows_the_place(name, latex, id, told, at):
    for lang, says in zip(("en", "zh"), told, strict=True):
        reply = getattr(mg.check, name)(latex, lang=lang)
        assert not reply
        assert reply.id == id
        assert says in reply.says
        assert all(len(line) <= 80 for line in str(reply).split("\n"))
        if at is not None:
            line, caret = reply.parts[0].text.split("\n")
            assert line[caret.index("^") :].startswith(at)


def test_the_equation_decides_about_a_derivative():
    name = "cross-entropy-from-logits"
    assert mg.check.gradient(name, "z", r"p_i - y_i", lang="en")
    reply = mg.check.gradient(name, "z", r"y_i - p_i", lang="en")
    assert reply.id == "gradient.sign"
    assert mg.check.gradient(name, "z", r"p_i - q_i", lang="zh").id == "formula.unreadable"
    other = mg.check.gradient("head-loss", "W", r"\frac{\partial L}{\partial x_{id}} = x_{id}", lang="en")
    assert other.id == "formula.unreadable"
    assert "another derivative" in other.says
    with pytest.raises(ValueError, match="has no derivative with respect to"):
        mg.check.gradient(name, "w", "p_i")


@pytest.mark.parametrize(
    ("latex", "n", "whole"),
    [
        ("a = b", 1, "a = b"),
        (r"y = 2 h, \quad h = x + 1", 1, r"y = 2 h \text{where } h = x + 1"),
        (r"h = x + 1; \quad y = 2 h", 1, r"y = 2 h \text{where } h = x + 1"),
        (r"h = x + 1; y = h^2 \qquad z = h", 2, r"\begin{aligned} y &= h^2 \\ z &= h \end{aligned} \text{where } h = x + 1"),  # noqa: E501
        (r"m' = m, \quad l' = l + m'", 2, r"\begin{aligned} m' &= m \\ l' &= l + m' \end{aligned}"),
        (r"y_i = x_i, \quad 1 \le i \le n", 1, "y_i = x_i"),
        (r"a = b \text{where } b = 1, \quad c = 2", 1, r"a = b \text{where } b = 1, \quad c = 2"),
    ],
)  # fmt: skip
def test_several_formulas_in_a_line_are_results_and_definitions(latex, n, whole):
    assert one_formula(latex, n) == whole


def test_places_that_count_from_zero_are_rewritten():
    assert from_one("x_{t,2i} = x_{t, 2i + 1} + t i", "ti") == "x_{t,2i-1} = x_{t, 2i} + (t - 1) (i - 1)"
    assert one_formula("x_{t,2i-1} = t", 1, "ti") == "x_{t,2i-1} = t"


def test_a_right_function_that_overflows_for_large_scores_is_right_with_a_remark():
    def as_written(v):
        e = torch.exp(v @ v.T)
        return e / e.sum(1, keepdim=True)

    assert "subtract the largest score" in mg.check.attention_weights(as_written, lang="en").says
    assert "减去每行的最大分数" in mg.check.attention_weights(as_written, lang="zh").says
    assert mg.check.attention_weights(lambda v: torch.softmax(v @ v.T, 1), lang="en").says == ""


def test_a_result_of_float64_is_right_with_a_remark_and_a_list_without():
    wide, rows = lambda z: torch.softmax(z.double(), -1), lambda z: torch.softmax(z, -1).tolist()
    assert "The result is float64" in mg.check.softmax(wide, lang="en").says
    assert mg.check.softmax(rows, lang="en").says == ""


@pytest.mark.parametrize(
    ("function", "id"),
    [
        (lambda z: 2**z / (2**z).sum(-1, keepdim=True), "softmax.base-two"),
        (lambda z: 3**z / (3**z).sum(-1, keepdim=True), "unknown"),
        (lambda z: z.exp() / z.exp().max(-1, keepdim=True).values, "softmax.unnormalised"),
        (lambda z: z.argmax(-1), "failure.shape"),
    ],
)
def test_the_sentence_is_of_the_example_where_a_function_overflows(function, id):
    reply = mg.check.softmax(function, lang="en")
    assert reply.id == id
    assert "NaN" not in str(reply)
    if id == "unknown":
        entry = re.search(r"result is (\S+), where the formula gives (\S+)\.", reply.says)
        assert all(number in reply.parts[-1].text for number in entry.groups())
    if id == "failure.shape":
        assert "The result has shape (); the formula gives (2,)." in str(reply)


@pytest.mark.parametrize(("lang", "told"), [("en", "sum to 1 along the last axis"), ("zh", "之和不为 1")])
def test_a_reply_says_once_that_the_rows_do_not_sum_to_1(lang, told):
    reply = mg.check.softmax(lambda z: 3 * torch.softmax(z, -1) / (1 + z.shape[-1] ** 2), lang=lang)
    assert reply.id == "generic.unnormalised", str(reply)
    assert str(reply).replace("\n", " " if lang == "en" else "").count(told) == 1


def test_a_formula_in_float64_is_named_as_the_function_in_float32():
    """The sum of a row nearly cancels in some calls, so the two precisions differ."""
    reply = mg.check.softmax(r"\frac{z_i}{\sum_{k} z_k}", lang="en")
    assert reply.id == mg.check.softmax(lambda z: z / z.sum(-1, keepdim=True), lang="en").id == "softmax.no-exponential"
