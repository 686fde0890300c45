import json
import re

import numpy as np
import pytest

import minigpt as mg
from minigpt.equations.board import number

V = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def parts(exploration):
    return {part["name"]: part for part in exploration.data["parts"]}


def test_the_values_are_those_of_evaluate():
    equation = mg.attention_weights.equation
    found, expected = parts(equation.explore(v=V)), equation.evaluate(v=V)
    assert found["a_{i,j}"]["values"] == {
        f"{i + 1},{j + 1}": number(expected[i, j]) for i in range(3) for j in range(3)
    }
    assert found["v_k"]["values"] == {str(k + 1): number(V[k]) for k in range(3)}
    assert found["v_k"]["whole"] == [[number(x) for x in row] for row in V]


def test_a_function_of_what_was_given_has_its_values():
    equation = mg.softmax.equation
    found, expected = parts(equation.explore(z=V[0])), equation.evaluate(z=V[0])
    assert found["softmax(z)_i"]["values"] == {"1": number(expected[0]), "2": number(expected[1])}
    assert mg.gelu.equation.explore(x=1.0).data["parts"][0]["values"] == {"": number(mg.gelu.equation.evaluate(x=1.0))}


def test_a_sum_is_unrolled_for_each_value_of_the_letters_that_it_uses():
    total = parts(mg.attention_weights.equation.explore(v=V))["Σ_(k=1..n) exp(v_i · v_k)"]
    assert total["letters"] == ["i"]
    assert [line.split(" = ")[-1] for line in total["terms"]["3"]] == [number(np.exp(x)) for x in V @ V[2]]
    assert total["values"]["3"] == number(np.exp(V @ V[2]).sum())


def test_a_sum_runs_only_over_its_own_terms():
    found = parts(mg.causal_attention.equation.explore(q=V, k=V, v=V))
    assert [len(found["Σ_(s=1..t) a_{t,s} v_s"]["terms"][str(t)]) for t in (1, 2, 3)] == [1, 2, 3]


def test_a_symbol_says_what_it_is_and_its_shape():
    assert parts(mg.attention_weights.equation.explore(v=V))["v_i"]["about"] == "token vectors; shape (n, d) = (3, 2)"


def test_a_symbol_that_is_too_large_is_refused_by_name():
    with pytest.raises(ValueError, match=r"v has 90 numbers, shape \(30, 3\); explore shows at most 64 of a symbol"):
        mg.self_attention.equation.explore(v=np.ones((30, 3)))


def test_too_many_terms_are_refused(monkeypatch):
    four = mg.equations.Equation("four", r"y = \sum_{i,j,k,l} x_i x_j x_k x_l", symbols={"x": "(n) numbers"})
    assert four.explore(x=[1.0, 2.0])
    monkeypatch.setattr("minigpt.equations.explorer.limits.MAX_STATES", 60)
    with pytest.raises(ValueError, match="more than 60 values to explore: take smaller inputs"):
        four.explore(x=np.ones(3))


TOO_LARGE = {  # the equation, what it is given, and what is said
    "input": (mg.softmax.equation, {"z": np.ones(5000)}, r"^z has 5,000 numbers, shape \(5000,\); .* at most 64 of"),
    "wide": (mg.self_attention.equation, {"v": np.ones((2, 5000))}, r"^v has 10,000 numbers, shape \(2, 5000\)"),
    "row": (mg.attention_weights.equation, {"v": np.ones((64, 1))}, r"^a has 4,096 numbers, shape \(64, 64\)"),
    "sum": (mg.equations.Equation("s", r"y = \sum_{i=1}^{n} i"), {"n": 5000}, "^more than 4,000 values"),
    "long sum": (mg.equations.Equation("s", r"y = \sum_{i=1}^{n} i"), {"n": 900_000}, "^more than 4,000 values"),
    "nested sums": (
        mg.equations.Equation("s", r"y = \sum_{i=1}^{n} \sum_{j=1}^{n} i j"), {"n": 700}, "^more than 4,000 values"
    ),
    "sum in a case": (
        mg.equations.Equation(
            "s", r"y = \begin{cases} \sum_{i=1}^{n} i & \text{if } n > 1 \\ 0 & \text{otherwise} \end{cases}"
        ),
        {"n": 5000},
        "^more than 4,000 values",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_before_anything_is_evaluated(name, monkeypatch):
    equation, given, says = TOO_LARGE[name]
    monkeypatch.setattr(mg.equations.Equation, "steps", lambda *_, **__: pytest.fail("it was evaluated"))
    monkeypatch.setattr("minigpt.equations.evaluate.Evaluator.whole", lambda *_: pytest.fail("it was evaluated"))
    with pytest.raises(ValueError, match=says) as raised:
        equation.explore(**given)
    assert "take smaller inputs, with sizes of 2 to 4" in str(raised.value)


def test_a_case_that_does_not_hold_is_not_counted():
    cases = r"y = \begin{cases} \sum_{i=1}^{n} i & \text{if } n < 5 \\ n & \text{otherwise} \end{cases}"
    assert mg.equations.Equation("s", cases).explore(n=5000)


def test_sums_are_counted_by_the_letters_that_they_use(monkeypatch):
    monkeypatch.setattr("minigpt.equations.explorer.limits.MAX_STATES", 150)
    shared = mg.softmax.equation.explore(z=np.linspace(-1, 1, 20))  # 20 terms for all entries together, not for each
    assert [len(terms) for terms in parts(shared)["Σ_(k=1..V) exp(z_k)"]["terms"].values()] == [20]


@pytest.mark.parametrize(
    ("z", "whole", "result"),
    [
        ([float("nan"), 1.0], ["nan", "1"], "nan"),
        ([float("inf"), 1.0], ["inf", "1"], "nan"),
        ([float("-inf"), 1.0], ["-inf", "1"], "0"),
        ([-0.0, 0.0], ["0", "0"], "0.5"),
        ([True, False], ["1", "0"], "0.73106"),
        (np.array([2, 1], dtype=np.int8), ["2", "1"], "0.73106"),
    ],
)
def test_numbers_of_every_kind_are_shown_as_they_are(z, whole, result):
    exploration = mg.softmax.equation.explore(z=z)
    found = parts(exploration)
    assert found["z_i"]["whole"] == [whole]
    assert found["softmax(z)_i"]["values"]["1"] == result
    text = re.search(r'<script type="application/json">(.*?)</script>', exploration.html())[1]
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("z", [[1j, 2], np.array([1j]), "12", ["1", "2"], None, [[1.0], [1.0, 2.0]]])
def test_what_is_not_real_numbers_is_refused_by_name(z):
    with pytest.raises(mg.equations.EquationError, match=r"^z must be a number or an array of real numbers, got"):
        mg.softmax.equation.explore(z=z)


def test_the_page_needs_no_network_and_its_data_can_be_read():
    page = mg.attention_weights.equation.explore(v=V)._repr_html_()
    assert not re.search(r"https?:|src=|href=|@import|url\(", page)
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])
    assert data["ranges"] == {"i": [1, 3], "j": [1, 3], "k": [1, 3]}
    assert len(page.encode()) < 14_000


def test_every_part_has_a_spoken_label():
    page = mg.self_attention.equation.explore(v=V)._repr_html_()
    labels = re.findall(r'class="mg-part"[^>]*aria-label="([^"]*)"', page)
    assert len(labels) == page.count('class="mg-part"') == 10
    assert labels[1] == "the sum over j from 1 to n of a sub i j times v sub j. Enter unrolls it"
    assert "token vectors" in labels[0] or "token vectors" in labels[3]


def test_an_empty_axis_and_missing_values_are_refused_by_name():
    with pytest.raises(mg.equations.EquationError, match="axis 1 of z is empty"):
        mg.softmax.equation.explore(z=[])
    with pytest.raises(mg.equations.EquationError, match="explore needs v"):
        mg.attention_weights.equation.explore()


def test_rows_and_parts_have_chinese_words_too():
    explored = mg.self_attention.equation.explore(v=V)
    words = explored.data["zh"]
    assert (len(words["rows"]), len(words["parts"])) == (len(explored.rows), len(explored.data["parts"]))
    assert words["rows"][0].startswith("v 撇 下标 i 等于 对 j 从 1 到 n 求和")
    assert words["parts"][1] == "对 j 从 1 到 n 求和 a 下标 i j 乘 v 下标 j。按回车展开"


def test_outside_a_notebook_it_is_the_steps():
    equation = mg.attention_weights.equation
    assert str(equation.explore(v=V)) == str(equation.steps(v=V))
