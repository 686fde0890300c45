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
    with pytest.raises(ValueError, match=r"v' has 90 numbers, shape \(30, 3\); explore shows at most 64 of a symbol"):
        mg.self_attention.equation.explore(v=np.ones((30, 3)))


def test_too_many_terms_are_refused(monkeypatch):
    four = mg.equations.Equation("four", r"y = \sum_{i,j,k,l} x_i x_j x_k x_l", symbols={"x": "(n) numbers"})
    assert four.explore(x=[1.0, 2.0])
    monkeypatch.setattr("minigpt.equations.explorer.states.MAX_STATES", 60)
    with pytest.raises(ValueError, match="more than 60 values to explore: take smaller inputs"):
        four.explore(x=np.ones(3))


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
