import html
import math
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import minigpt.equations as equations
from minigpt.equations import Equation, EquationError

ENGINE = Path(equations.__file__).parent


@pytest.mark.parametrize(
    ("latex", "keyword"),
    [
        (r"\theta_{t-1}", "theta_t_minus_1"),
        (r"\lambda", "lambda_"),
        ("v'", "v_prime"),
        ("W^{Q}", "W_Q"),
        (r"\hat{m}_t", "m_hat_t"),
        (r"\bar{\theta}_{t-1}", "theta_bar_t_minus_1"),
        (r"p^{\mathrm{w}}", "p_w"),
        (r"\eta_{\max}", "eta_max"),
        (r"\mathrm{dO}", "dO"),
    ],
)
def test_every_name_has_a_keyword(latex, keyword):
    assert Equation("names", f"y = {latex}", (), {latex: "() a number"}).inputs == {keyword: latex}


def test_a_derivative_is_one_name_with_the_indices_of_both_parts():
    eq = Equation("chain", r"\frac{\partial L}{\partial x_i} = \sum_j g_j \frac{\partial y_j}{\partial x_i}")
    assert set(eq.inputs) == {"g", "dy_dx"}
    np.testing.assert_array_equal(eq.evaluate(g=[1, 10], dy_dx=[[1, 2, 3], [4, 5, 6]]), [41, 52, 63])


def test_an_input_may_be_given_by_its_latex():
    assert Equation("latex", r"y = \lambda x").evaluate(**{r"\lambda": 2, "x": 3}) == 6


def test_an_unknown_input_is_an_error_that_lists_the_inputs():
    with pytest.raises(ValueError, match=r"under-test has no input 'z'; it has w, x"):
        Equation("under-test", "y = w x").evaluate(z=1)


def test_what_the_equation_defines_cannot_be_given():
    with pytest.raises(ValueError, match="no input 'm'"):
        Equation("under-test", "y = m x", ["m = 2"]).evaluate(x=1, m=3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_tensors_of_any_kind_are_taken_as_float64(dtype):
    x = torch.tensor([3, 4], dtype=dtype)
    value = Equation("norm", r"y = \lVert x \rVert").evaluate(x=x.requires_grad_() if x.is_floating_point() else x)
    assert value == 5
    assert value.dtype == np.float64


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "None"),
        (1 + 2j, r"\(1\+2j\)"),
        (10**400, "a number too large for float64"),
        (Fraction(10**400), "a number too large for float64"),
        ("a", "'a'"),
        ("1", "'1'"),
        (b"1", "b'1'"),
        ("a" * 10**6, "'aaaa.*"),
        ([1.0, None], r"\[1.0, None\]"),
        ([1, "2"], r"\[1, '2'\]"),
        ([[1, 2], [3]], r"\[\[1, 2\], \[3\]\]"),
        ({1: 2}, "{1: 2}"),
        ([None, 10**5000], "a list"),
        (np.array([1j]), r"array\(\[0\.\+1\.j\]\)"),
        (np.array(["2024-01-01"], dtype="datetime64[D]"), r"array\(\['2024.*"),
        (torch.tensor([1j]), r"tensor\(\[0\.\+1\.j\]\)"),
    ],
)
def test_what_is_not_a_real_number_is_an_error_that_names_the_symbol(value, got):
    with pytest.raises(EquationError, match=f"^x must be a number or an array of real numbers, got {got}\n") as caught:
        Equation("under-test", "y = x", (), {"x": "() a number"}).evaluate(x=value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("value", "got"), [(None, "None"), (1j, "1j"), ("a", "'a'"), (10**400, "a number too large")])
def test_a_function_that_returns_no_real_number_is_named(value, got):
    with pytest.raises(EquationError, match=f"^f must return a number or an array of real numbers, got {got}"):
        Equation("under-test", "y = f(x)", (), {"f": "function"}).evaluate(f=lambda x: value, x=1)


def test_an_error_of_a_given_function_is_its_own():
    def f(x):
        raise ValueError("of the function")

    with pytest.raises(ValueError, match=r"^of the function$"):
        Equation("under-test", "y = f(x)", (), {"f": "function"}).evaluate(f=f, x=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, 1), (Fraction(1, 4), 0.25), (Decimal("0.5"), 0.5), (2**70, 2.0**70), (np.float16(0.5), 0.5)],
)
def test_real_numbers_of_any_kind_are_taken(value, expected):
    assert Equation("under-test", "y = x").evaluate(x=value) == expected
    np.testing.assert_array_equal(Equation("under-test", "y_i = x_i").evaluate(x=[value, value]), [expected] * 2)


def test_a_function_of_single_numbers_maps_over_the_array_it_is_given():
    eq = Equation("square", "f(x) = x^2", (), {"x": "() input"})
    assert eq.evaluate(x=np.ones((2, 0, 3))).shape == (2, 0, 3)
    np.testing.assert_array_equal(eq.evaluate(x=[[1, 2], [3, 4]]), [[1, 4], [9, 16]])


def test_a_system_gives_all_its_rows_and_its_last_one_as_result():
    eq = Equation("system", r"\begin{aligned} a &= x + 1 \\ b &= 2 a \end{aligned}")
    assert eq.evaluate_all(x=1) == {"a": 2, "b": 4}
    assert eq.evaluate(x=1) == 4


def test_the_latex_is_read_at_first_use_not_at_import():
    eq = Equation("broken", r"y = \foo")
    with pytest.raises(EquationError):
        eq.evaluate()


def test_importing_equations_loads_neither_torch_nor_lark():
    code = "import sys, importlib.util as u; import minigpt.equations; print('lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_the_engine_is_small_and_imports_nothing_else_of_ours():
    lines = {
        file.name: file.read_text(encoding="utf-8").splitlines()
        for file in [ENGINE / "grammar.lark", *ENGINE.glob("*.py")]
    }
    assert max(map(len, lines.values())) <= 250
    views = {"__init__.py", "board.py", "decorated.py", "formula.py", "registry.py", "twins.py"}
    advice = {"characters.py", "hints.py"}  # tables of what to write instead
    assert sum(len(lines[name]) for name in lines.keys() - views - advice) <= 1150
    ours = [line for text in lines.values() for line in text if "import" in line and "minigpt" in line]
    assert all("minigpt.equations" in line for line in ours)


def test_what_a_notebook_shows_holds_no_html():
    eq = Equation("tags", r"y = x_{<t} & <script>alert(1)</script> &lt; &amp;", [r"a = <img src=x onerror=alert(2)>"])
    shown = eq._repr_latex_()
    assert not set("<>") & set(shown)
    assert re.findall(r"&\S", shown) == []
    assert r"x_{\lt t}" in shown
    assert html.unescape(shown) == shown


def test_what_a_notebook_shows_means_what_is_evaluated():
    eq = Equation("cases", r"y_i = \begin{cases} x_i & \text{if } 1 < i \\ 0 & \text{otherwise} \end{cases}")
    assert eq.display.startswith(r"$$\begin{gathered} " + eq.latex)
    assert eq._repr_latex_() == eq.display.replace("<", r"\lt ").replace("&", "& ")


def test_a_value_for_eulers_number_is_an_error_that_explains_it():
    with pytest.raises(ValueError, match="has no input 'e'; it has x; e is Euler's number, unless symbols declares it"):
        Equation("growth", "y = e^x").evaluate(x=1, e=2)
    assert Equation("energy", "y = 2 e", (), {"e": "() energy"}).evaluate(e=2) == 4


MATRIX = Equation("matrix", r"y_i = \sum_{j=1}^{n} a_{ij} x_j", symbols={"a": "(n, n) matrix", "x": "(n) vector"})
OF_A_NUMBER = Equation("of-a-number", r"y_i = f(x_i)", symbols={"f": "function any", "x": "(n) vector"})


@pytest.mark.parametrize(
    "index",
    ["a", "1", b"1", None, True, 1.5, 1j, math.nan, math.inf, 10**30, [1], np.array([1, 2]), int, torch.ones(1), ...],
    ids=str,
)
def test_an_index_that_is_no_whole_number_is_refused(index):
    with pytest.raises(EquationError, match=r"^(the index i must be a whole number|i must be a number).*, got "):
        MATRIX.steps(a=np.eye(2), x=[1, 2], i=index)


@pytest.mark.parametrize("index", [2, 2.0, np.int64(2), np.array(2), torch.tensor(2)], ids=repr)
def test_a_whole_number_of_any_kind_is_an_index(index):
    assert MATRIX.steps(a=np.eye(2), x=[1, 3], i=index).endswith("y_2 = Σ_(j=1..n) a_{2,j} x_j = 0 + 3 = 3")


@pytest.mark.parametrize(
    "value",
    ["a", b"a", None, {}, {1}, object(), 1j, ..., torch.ones(2, device="meta")],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("name", ["a", "x", "n"])
def test_a_value_of_another_kind_is_refused_by_name(name, value):
    with pytest.raises(EquationError, match=rf"^{name} must be a number or an array of real numbers, got "):
        MATRIX.evaluate(**{"a": np.eye(2), "x": [1, 2], name: value})


@pytest.mark.parametrize("function", [lambda: 1, lambda a, b: a, lambda *, a: a])
def test_a_function_of_another_number_of_arguments_is_refused(function):
    with pytest.raises(EquationError, match=r"^f is called with 1 argument here, which the function given for it does"):
        OF_A_NUMBER.evaluate(f=function, x=[1, 2])


def test_what_a_function_itself_raises_is_left_alone():
    with pytest.raises(ZeroDivisionError):
        OF_A_NUMBER.evaluate(f=lambda t: 1 / 0, x=[1, 2])
    assert OF_A_NUMBER.evaluate(f=math.sqrt, x=[1, 4]).tolist() == [1, 2]
