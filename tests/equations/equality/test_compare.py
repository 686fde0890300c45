import pytest

import minigpt as mg
from minigpt.equations import EquationError


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """A terminal on which each answer is one line."""
    monkeypatch.setenv("COLUMNS", "500")


SYMBOLS = {"A": "(m, n) a matrix", "B": "(n, k) a matrix", "x": "(n) a vector", "y": "(n) a vector"}
SAME = [
    (r"\log(x y)", r"\log(x) + \log(y)", {}),
    (r"\log(x^2)", r"2 \log(x)", {}),
    (r"\ln(x)", r"\log(x)", {}),
    (r"\log_2(x)", r"\frac{\ln(x)}{\ln(2)}", {}),
    (r"(x + y)^2", r"x^2 + 2 x y + y^2", {}),
    (r"\frac{1}{x}", r"x^{-1}", {}),
    (r"\sqrt{x^2}", r"\lvert x \rvert", {}),
    (r"e^{x + y}", r"e^x e^y", {}),
    (r"\tanh(x)", r"\frac{e^x - e^{-x}}{e^x + e^{-x}}", {}),
    (r"\sum_{k=1}^{n} x_k", r"\sum_{j=1}^{n} x_j", {}),
    (r"\sum_{b=1}^{n} \sum_{a=1}^{m} x_{ab}", r"\sum_{a,b} x_{ab}", {}),
    (r"p_i = \frac{\exp(z_i)}{\sum_{k=1}^{n} \exp(z_k)}", r"\frac{1}{\sum_{j} \exp(z_j - z_i)}", {}),
    (r"\dfrac{1}{n} \sum_{k=1}^{n} x_k", r"\sum_{k=1}^{n} \frac{x_k}{n}", {}),
    (r"(A B)^\top", r"B^\top A^\top", {"symbols": SYMBOLS}),
    (r"x \cdot y", r"x^\top y", {"symbols": SYMBOLS}),
    (r"A x", r"\sum_{j} A_{ij} x_j", {"symbols": SYMBOLS}),
    (r"v_i", r"v_j", {}),
    (r"z_c", r"\sum_{k=1}^{V} \mathbb{1}[k = c] z_k", {"symbols": {"z": "(V) scores", "c": "() a class"}}),
    (r"f(x) + 1", r"1 + f(x)", {"symbols": {"f": "function any", "x": "() a number"}}),
    (r"x - \mu", r"\sum_{i=1}^{1} (x - \mu) \text{where } \mu = 2 x", {"where": ()}),
]
DIFFERENT = [
    (r"(x + y)^2", r"x^2 + y^2", {}, "x = 1, y = 1, the first is 4 and the second 2"),
    (r"\sqrt{x^2}", r"x", {}, "x = -1, the first is 1 and the second -1"),
    (r"\frac{1}{n} \sum_{k=1}^{n} x_k", r"\sum_{k=1}^{n} x_k", {}, "n = 2, x = [0, 1], the first is 0.5"),
    (r"A^\top", "A", {"symbols": {"A": "(n, n) a matrix"}}, "entry 1,2 of the first"),
    (r"A B", r"B^\top A^\top", {"symbols": SYMBOLS}, "entry 1,2 of the first"),
    (r"\sum_{s=1}^{t} a_{ts} v_s", r"\sum_{s=1}^{T} a_{ts} v_s", {}, "entry 1 of the first"),
    (r"\frac{x}{\sqrt{y + 10^{-6}}}", r"\frac{x}{\sqrt{y}}", {}, "the first is"),
    (r"x_i y_j", r"x_i", {}, "with 2 indices and 1 index"),
    (r"\frac{x}{0}", "x", {}, "no values were found"),
]


@pytest.mark.parametrize(("a", "b", "options"), SAME)
def test_two_forms_of_one_function_are_equal(a, b, options):
    if "where" in options:
        a = r"x - \mu \text{where } \mu = 2 x"
    assert mg.equal(a, b, **options)
    assert mg.equal(b, a, **options)


@pytest.mark.parametrize(("a", "b", "options", "says"), DIFFERENT)
def test_two_functions_part_at_the_smallest_values_found(a, b, options, says):
    answer = mg.equal(a, b, **options)
    assert not answer
    assert says in str(answer)


def test_where_only_one_is_defined_is_said():
    assert str(mg.equal(r"\log(x^2)", r"2 \log(x)")).endswith("Only the first is defined everywhere.")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"\frac{x}{x}", "1"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
        (r"\frac{1}{\frac{1}{x}}", "x"),  # 1 / (1 / 0) is 0 in float64
        (r"\frac{x_i + x_i^2}{1 + x_i}", "x_i"),
    ],
)
def test_a_hole_at_a_special_value_is_said(a, b):
    assert str(mg.equal(a, b)).endswith("1e-9. Only the second is defined everywhere.")
    assert str(mg.equal(b, a)).endswith("1e-9. Only the first is defined everywhere.")
    assert str(mg.equal(b, a, lang="zh")).endswith("只有第一个公式处处有定义。")


def test_holes_at_other_values_of_each_formula_are_said():
    assert str(mg.equal(r"\frac{x}{x}", r"\frac{x-1}{x-1}")).endswith("undefined at values where the other is defined.")


def test_the_same_hole_in_both_is_no_difference():
    assert str(mg.equal(r"\frac{x}{x}", r"\frac{2 x}{2 x}")).endswith("within 1e-9.")


def test_both_formulas_use_the_definitions():
    where = [r"\mu = \frac{1}{n} \sum_{j=1}^{n} x_j"]
    assert mg.equal(r"\frac{1}{n} \sum_{i=1}^{n} (x_i - \mu)^2", r"\frac{1}{n} \sum_{i} x_i^2 - \mu^2", where=where)
    assert not mg.equal(r"\frac{1}{n} \sum_{i=1}^{n} (x_i - \mu)^2", r"\frac{1}{n} \sum_{i} x_i^2 - \mu", where=where)


def test_the_values_shown_are_those_of_the_formulas_by_hand():
    parting = mg.equal(r"x^2 + y", r"x^2 + 2 y").parting
    assert parting.first == parting.values["x"] ** 2 + parting.values["y"]
    assert parting.second == parting.values["x"] ** 2 + 2 * parting.values["y"]


@pytest.mark.parametrize(
    ("latex", "says"),
    [(r"\log x y", r"put what the function is applied to"), (r"x +", "ends too early"), (r"x_{i}^{(l)}", "exponent")],
)
def test_what_cannot_be_read_is_shown_with_its_place(latex, says):
    with pytest.raises(EquationError, match=says) as raised:
        mg.equal(latex, "x")
    assert str(raised.value).endswith("^")


def test_a_sum_without_end_is_refused_at_once():
    with pytest.raises(EquationError, match="at most"):
        mg.equal(r"\sum_{i=1}^{1000000000} x", "x")


def test_a_long_formula_is_refused_with_the_budget():
    for long in ("+".join(["x"] * 3001), "y = " + "+".join(["x"] * 3001)):
        with pytest.raises(EquationError, match="has 3,000 sums, differences, products and quotients; at most 400"):
            mg.equal(long, "3001 x")


def test_a_formula_that_is_no_string_is_refused():
    with pytest.raises(TypeError, match="takes two formulas as strings of LaTeX, got int: 5"):
        mg.equal(5, "x")


@pytest.mark.parametrize(
    ("a", "b"), [(r"\mathbb{1}[x = 0]", "0"), (r"\max(x, -100)", "x"), (r"x^2", r"x^2 + \mathbb{1}[x - y = 0]")]
)
def test_special_and_large_values_are_compared(a, b):
    assert not mg.equal(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"(x - y)^4", r"x^4 - 4 x^3 y + 6 x^2 y^2 - 4 x y^3 + y^4"),
        (
            r"\frac{1}{n} \sum_{i=1}^{n} x_i^2 - (\frac{1}{n} \sum_{i=1}^{n} x_i)^2",
            r"\frac{1}{n} \sum_{i=1}^{n} (x_i - \frac{1}{n} \sum_{j=1}^{n} x_j)^2",
        ),
    ],
)
def test_rounding_of_large_values_is_no_difference(a, b):
    assert mg.equal(a, b)


def test_the_answer_claims_what_was_tested():
    assert str(mg.equal("x", "2 x - x")) == "Equal at 24 random values of the symbols within 1e-9."
    assert str(mg.equal("2 + 2", "4")) == "Equal within 1e-9."
    assert str(mg.equal("x_i", "x_j")).endswith("within 1e-9. The first was read as r_{i}, the second as r_{j}.")


def test_the_answer_is_given_in_chinese():
    assert str(mg.equal("x", "2 x - x", lang="zh")) == "在 24 组随机取值上，两者在 1e-9 以内相等。"
    assert str(mg.equal("x^2", "x", lang="zh")) == "不是同一个函数：当 x = -1 时，第一个公式为 1，第二个公式为 -1。"
    with pytest.raises(ValueError, match="lang='fr'"):
        mg.equal("x", "x", lang="fr")


def test_an_array_defined_without_indices_is_refused_where_an_index_has_no_range():
    with pytest.raises(EquationError, match="the range of i is unknown"):
        mg.equal(r"h_{i} \text{where } h = x + 1", r"x_i + 1", symbols={"x": "(n) numbers"})
