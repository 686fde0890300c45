import tracemalloc

import numpy as np
import pytest

from minigpt.equations import Equation, EquationError
from minigpt.equations.errors import MAX_DEPTH, MAX_LENGTH, MAX_NAMES, MAX_OPERATIONS, MAX_WAITING


def refusal(latex, *where, symbols=None, **given):
    """The message, without the line and the mark; no more than a screen of text."""
    with pytest.raises(EquationError) as caught:
        Equation("under test", latex, where, symbols or {}).evaluate(**given)
    assert len(str(caught.value)) < 700
    return str(caught.value).split("\n")[0]


# Terms and factors in a row are not nested


def test_five_hundred_terms_are_added():
    eq = Equation("under test", f"y = {' - 1 + 3 + '.join(['x'] * 250)}")
    assert eq.evaluate(x=0.5) == 0.5 * 250 + 2 * 249
    assert str(eq).count("x") == 250


def test_a_thousand_factors_are_multiplied_and_divided_from_the_left():
    assert Equation("under test", f"y = {' '.join(['x'] * 1000)}").evaluate(x=-1.0) == 1
    assert Equation("under test", f"y = 1{'/x' * 1000}").evaluate(x=2.0) == 2.0**-1000


def test_many_letters_in_a_row_are_as_many_indices():
    with pytest.raises(EquationError, match="x has 1 axis and is written with 2,000 indices"):
        Equation("under test", rf"y = \sum_{{i=1}}^{{1}} x_{{{'i' * 2000}}}").evaluate(x=[1.0])


def test_the_steps_of_a_long_sum_have_a_line_for_each_partial_sum():
    steps = Equation("under test", f"y = {' + '.join(['x'] * 150)}").steps(x=1.0).split("\n")
    assert [line.split(" = ")[-1] for line in steps] == [str(n) for n in range(2, 151)]


# Limits of what is read


@pytest.mark.parametrize(
    ("nested", "levels"),
    [
        (f"{'(' * 1000}1{')' * 1000}", 1000),
        (r"\frac{1}{" * 900 + "1" + "}" * 900, 900),
        (r"\sqrt{1 + " * 900 + "1" + "}" * 900, 900),
        ("x_{" * 900 + "1" + "}" * 900, 900),
        ("2^{" * 900 + "1" + "}" * 900, 900),
    ],
)
def test_what_is_nested_too_deeply_is_refused_with_the_limit_and_the_fix(nested, levels):
    message = refusal(f"y = {nested}")
    got = int(message.split(" levels")[0].replace(",", ""))
    assert levels <= got <= 2 * levels + 5
    assert f"at most {MAX_DEPTH} are read: name the inner part in where" in message


def test_what_is_nested_as_deeply_as_is_read_is_evaluated_printed_and_shown_in_steps():
    n = MAX_DEPTH // 2 - 2
    eq = Equation("under test", f"y = {'(1 + ' * n}1{')' * n}")
    assert eq.evaluate() == n + 1
    assert str(eq).count("(") == n
    assert eq.steps().endswith(f"= {n + 1}")


@pytest.mark.parametrize("latex", ["y = " + "x + " * 250_000 + "x", "y = " + "x" * 10**6, "{" * 10**6, "|" * 10**6])
def test_a_megabyte_is_refused_at_once(latex):
    message = refusal(latex, x=1)
    assert f"{len(latex):,} characters long; at most {MAX_LENGTH:,} are read: write what repeats as a sum" in message


def test_the_length_counts_the_definitions_too():
    assert "at most 10,000 are read" in refusal("y = 0", *["a = 1"] * 1000)


def test_too_many_declared_names_are_refused():
    symbols = {f"x_{{{i}}}": "() a number" for i in range(MAX_NAMES + 1)}
    assert "1,001 names are declared; at most 1,000" in refusal("y = 1", symbols=symbols)


def test_the_line_of_a_long_formula_is_cut_around_the_place():
    with pytest.raises(EquationError) as caught:
        Equation("under test", f"y = {'x + ' * 500}z + {'x + ' * 500}x").evaluate(x=1)
    _, line, mark = str(caught.value).split("\n")
    assert len(line) < 170
    assert line[mark.index("^")] == "z"


# Limits of what is evaluated


def test_a_sum_of_ten_million_terms_is_refused_before_its_first():
    message = refusal(r"y = \sum_{i=1}^{10^7} f(i)", symbols={"f": "function"}, f=lambda i: pytest.fail("evaluated"))
    assert "needs 10,000,00" in message
    assert f"at most {MAX_OPERATIONS:,} are done: evaluate it at smaller sizes" in message


@pytest.mark.parametrize(
    ("latex", "symbols", "given"),
    [
        (r"y = \prod_{i=1}^{10^{300}} i", {}, {}),
        (r"y_i = i", {"y": "(n)"}, {"n": 10**9}),
        (r"y_{ij} = i + j", {"y": "(n, n)"}, {"n": 10**5}),
        (r"y = \max_{i=1}^{3} \max_{j=1}^{10^7} i j", {}, {}),
    ],
)
def test_what_is_too_large_is_refused_at_once(latex, symbols, given):
    assert "evaluate it at smaller sizes" in refusal(latex, symbols=symbols, **given)


@pytest.fixture
def hundred(monkeypatch):
    """A limit of a hundred operations."""
    monkeypatch.setattr("minigpt.equations.evaluate.MAX_OPERATIONS", 100)


def test_operations_add_up_over_sums_entries_and_the_elements_that_a_function_maps_over(hundred):
    assert "at most 100 are done" in refusal(r"y = \sum_{i=1}^{9} \sum_{j=1}^{9} 1")
    assert "at most 100 are done" in refusal("y_i = x_i x_i", x=np.ones(30))
    assert "at most 100 are done" in refusal("f(x) = x^2", symbols={"x": "() input"}, x=np.ones(40))
    assert Equation("under test", r"y = \sum_{i=1}^{9} i").evaluate() == 45


def test_steps_are_within_the_limit_too(hundred):
    with pytest.raises(EquationError, match="at most 100 are done"):
        Equation("under test", r"y_i = x_i + x_i").steps(x=np.ones(30))


def test_a_recurrence_is_as_long_as_one_likes_from_its_first_entry_on():
    eq = Equation("under test", "s_i = s_{i-1} + x_i", ["s_0 = 0"])
    np.testing.assert_array_equal(eq.evaluate(x=np.ones(1000)), np.arange(1, 1001))


@pytest.mark.parametrize(
    ("latex", "where"),
    [
        ("y = s_{900}", ["s_i = s_{i-1} + x_i", "s_0 = 0"]),
        ("f(n) = f(n - 1)", []),
        (r"f(n) = f(n - 1) + f(n - 2)", []),
        (r"f(n) = \sum_{i=1}^{2} \frac{1}{(f(n - 1))}", []),
    ],
)
def test_values_that_wait_for_too_many_others_are_refused(latex, where):
    given = {"n": 5} if "n" in latex else {"x": np.ones(1000)}
    assert f"more than {MAX_WAITING} values wait for one another" in refusal(latex, *where, **given)


# Limits of the arrays that are made


N = 60_000


@pytest.mark.parametrize(
    ("latex", "symbols", "given"),
    [
        (r"y = x x^\top", {"x": "(n)"}, {"x": np.ones(N)}),
        (r"y = A A^\top", {"A": "(n, 1)"}, {"A": np.ones((N, 1))}),
        ("y_i = x", {"x": "(n)", "y": "(n, n)"}, {"x": np.ones(2000)}),
        (r"y = \sum_{i=1}^{m} \sin(x) \cdot x", {"x": "(n)", "m": "()"}, {"x": np.ones(N), "m": 10**5}),
        (r"y = \sum_{i=1}^{m} \lVert x \rVert", {"x": "(n)", "m": "()"}, {"x": np.ones(N), "m": 10**5}),
        (r"y = \prod_{i=1}^{m} (-x)", {"x": "(n)", "m": "()"}, {"x": np.ones(N), "m": 10**5}),
        (r"y = \sum_{i=1}^{m} f(i)", {"f": "function", "m": "()"}, {"f": lambda i: np.ones(N), "m": 10**5}),
        ("f(a, b) = a + b", {"a": "()", "b": "()"}, {"a": np.ones((N, 1)), "b": np.ones((1, N))}),
        ("y = f(a, b)", {"z": "()", "w": "()"}, {"a": np.ones((N, 1)), "b": np.ones((1, N))}),
    ],
)
def test_arrays_beyond_the_limit_are_refused_before_they_are_made(latex, symbols, given):
    where = ["f(z, w) = z + w"] * ("w" in symbols)
    tracemalloc.start()
    try:
        message = refusal(latex, *where, symbols=symbols, **given)
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()
    assert f"at most {MAX_OPERATIONS:,} are done: evaluate it at smaller sizes" in message


def test_arrays_within_the_limit_are_evaluated():
    x, A = np.arange(900.0), np.ones((300, 300))
    np.testing.assert_array_equal(
        Equation("outer", r"y = x x^\top", (), {"x": "(n)"}).evaluate(x=x[:500]).shape, [500, 500]
    )
    np.testing.assert_array_equal(Equation("matrices", "y = A A A", (), {"A": "(n, n)"}).evaluate(A=A), 90_000 * A)
    assert Equation("product", r"y = x^\top x", (), {"x": "(n)"}).evaluate(x=x) == np.sum(x * x)
