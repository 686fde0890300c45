import numpy as np
import pytest
from formulas import FORMULAS

from minigpt.equations import Equation

V = np.array([[0.5, 1.0], [1.0, 0.0], [0.0, 2.0]])


def test_an_equation_prints_plainly():
    assert str(FORMULAS["attention-weights"]) == "a_{i,j} = exp(v_i · v_j) / (Σ_(k=1..n) exp(v_i · v_k))"


def test_definitions_follow_one_a_line():
    lines = str(FORMULAS["layer-norm"]).split("\n")
    assert lines[1] == "  where μ = (1 / d) Σ_(i=1..d) x_i"


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"y = \frac{a + b}{c d}", "y = (a + b) / (c d)"),
        (r"y = \frac{1}{2} x", "y = (1 / 2) x"),
        (r"y = a - (b - c)", "y = a - (b - c)"),
        (r"y = e^{-x}", "y = e^(-x)"),
        (r"y = \sqrt{\hat{m}'}", "y = √(m̂')"),
        (r"y = X X^\top", "y = X Xᵀ"),
        (
            r"y_i = \begin{cases} 1 & \text{if } i \le 2 \\ 0 & \text{otherwise} \end{cases}",
            "y_i = 1 if i ≤ 2; 0 otherwise",
        ),
    ],
)
def test_parentheses_are_written_where_a_line_needs_them(latex, text):
    assert str(Equation("under test", latex)) == text


def test_steps_walk_one_output_through_its_terms():
    steps = FORMULAS["attention-output"].steps(a=np.full((3, 3), 0.25), v=V, i=2)
    assert steps.split("\n") == [
        "  j = 1:  a_{2,1} v_1 = 0.25 [0.5, 1] = [0.125, 0.25]",
        "  j = 2:  a_{2,2} v_2 = 0.25 [1, 0] = [0.25, 0]",
        "  j = 3:  a_{2,3} v_3 = 0.25 [0, 2] = [0, 0.5]",
        "v'_2 = Σ_(j=1..n) a_{2,j} v_j = [0.125, 0.25] + [0.25, 0] + [0, 0.5] = [0.375, 0.75]",
    ]


def test_the_last_line_of_the_steps_ends_in_the_value_of_the_equation():
    eq = FORMULAS["attention-weights"]
    steps = eq.steps(v=V, i=2, j=3)
    assert steps.split("\n")[-1].endswith(f" = {eq.evaluate(v=V)[1, 2]:.5g}")


def test_steps_begin_with_the_definitions_that_are_used():
    eq = FORMULAS["layer-norm"]
    steps = eq.steps(x=[1, 2, 3], gamma=[1, 1, 1], beta=[0, 0, 0], epsilon=1, i=1).split("\n")
    assert steps[0] == "μ = (1 / d) Σ_(i=1..d) x_i = 0.33333·6 = 2"


def test_steps_show_a_negative_part_in_parentheses():
    steps = FORMULAS["cross-entropy"].steps(y=[0, 1], p=[0.5, 0.25])
    assert steps.split("\n")[-1] == "L = -Σ_(i=1..n) y_i log(p_i) = -(-1.3863) = 1.3863"


def test_steps_take_the_case_that_holds():
    steps = FORMULAS["causal-attention"].steps(s=np.zeros((2, 2)), i=1)
    assert steps.split("\n")[-1] == "a_{1,2} = 0"


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_has_steps_that_end_in_its_value(name, cases):
    given, expected = cases(name)[0]
    row = FORMULAS[name].document.rows[FORMULAS[name].outputs[-1]][-1]
    if not row.parameters:
        last = str(FORMULAS[name].steps(**given)).split("\n")[-1]
        value = np.asarray(list(expected.values())[-1]).reshape(-1)[-1]
        assert last.split(" = ")[-1].strip("[]").split(", ")[-1] == f"{value + 0.0:.5g}"


def test_steps_show_themselves_in_a_notebook():
    steps = FORMULAS["cross-entropy"].steps(y=[1], p=[1])
    assert repr(steps) == str(steps)
