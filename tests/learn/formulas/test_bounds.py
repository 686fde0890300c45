r"""A sum that begins or ends elsewhere: the reply names the bound, and never says NaN where the values differ."""

from types import SimpleNamespace

import numpy as np
import pytest

import minigpt as mg
from minigpt.learn.formulas.bounds import wrong_bound
from minigpt.learn.formulas.functions import FormulaAnswer
from minigpt.learn.judge.found import Found
from minigpt.learn.judge.messages import filled_in
from minigpt.learn.judge.places import entry_details

CASES = {  # exercise, formula, id, what is said in English and in Chinese
    "from 2": (
        "softmax",
        r"p_i = \frac{\exp(z_i)}{\sum_{k=2}^{V} \exp(z_k)}",
        "formula.lower-bound",
        "your sum over k begins at 2; if it begins at 1, the formula is right.",
        "你的求和中 k 从 2 开始；改为从 1 开始，公式就正确。",
    ),
    "to V - 1": (
        "softmax",
        r"p_i = \frac{\exp(z_i)}{\sum_{k = 1}^{V - 1} \exp(z_k)}",
        "formula.upper-bound",
        "your sum over k ends at V - 1; if it ends at V, the formula is right.",
        "你的求和中 k 到 V - 1 为止；改为到 V 为止，公式就正确。",
    ),
    "to i": (
        "attention_weights",
        r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^i \exp(v_i \cdot v_k)}",
        "formula.upper-bound",
        "your sum over k ends at i; if it ends at n, the formula is right.",
        "你的求和中 k 到 i 为止；改为到 n 为止，公式就正确。",
    ),
    "from 0": (
        "softmax",
        r"p_i = \frac{\exp(z_i)}{\sum_{k=0}^{V} \exp(z_k)}",
        "formula.lower-bound",
        "if it begins at 1, the formula is right. The formula has no value: index 0 of z is outside 1..",
        "改为从 1 开始，公式就正确。公式无法求值：z 的指标 0 超出了范围 1..",
    ),
}


@pytest.mark.parametrize("name", [name for name in CASES if name != "from 0"])
def test_the_bound_is_found(name):
    exercise, latex, identity, english, chinese = CASES[name]
    slip = wrong_bound(getattr(mg.check, exercise).exercise, FormulaAnswer(exercise, latex))
    assert (slip.id, slip.kind) == (identity, "border")
    assert english in slip.says.en
    assert chinese in slip.says.zh


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_sum_without_a_value_gets_its_bound_too(lang):
    exercise, latex, identity, *says = CASES["from 0"]
    reply = getattr(mg.check, exercise)(latex, lang=lang)
    assert (reply.right, reply.id, reply.kind) == (False, identity, "border")
    assert says[lang == "zh"] in reply.says


def test_index_and_both_values_are_shown():
    reply = mg.check.softmax(CASES["from 2"][1], lang="en")
    text = str(reply)
    assert CASES["from 2"][3] in text.replace("\n", " ")
    assert CASES["from 2"][3] in str(reply.hint(1)).replace("\n", " ")
    assert "NaN" not in text
    # By hand: with z = [0, -1] the sum from 2 on is e^{-1}, so that the first entry is e instead of 1 / (1 + e^{-1}).
    assert "[0]: expected 0.731, got 2.72." in text


@pytest.mark.parametrize(
    "latex",
    [
        r"p_i = \frac{\exp(-z_i)}{\sum_{k=2}^{V} \exp(z_k)}",
        r"p_i = \frac{\exp(z_i)}{\sum_{k} \exp(-z_k)}",
        r"p_i = \sum_{k=2}^{V} z_k",
    ],
)
def test_a_bound_is_named_only_if_its_change_makes_the_formula_right(latex):
    exercise = mg.check.softmax.exercise
    assert wrong_bound(exercise, FormulaAnswer("softmax", latex)) is None


def test_a_single_number_that_differs_begins_a_sentence():
    found, call = Found("array", "float64", np.array(2.0)), SimpleNamespace(expected=(np.array(1.0),), several=False)
    told = [entry_details(found, call, "values", lang) for lang in ("en", "zh")]
    assert filled_in("values", "en", **told[0]) == "The result is 2, where the formula gives 1."
    assert filled_in("values", "zh", **told[1]) == "结果是 2，而公式给出 1。"
