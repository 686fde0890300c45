"""Short forms: each has the value that numpy gives, and is refused where it could mean two things."""

import numpy as np
import pytest

from minigpt.equations import Equation, EquationError

X = np.array([1.5, -2.0, 4.0, -7.0])
V = np.array([2.0, -1.0, 3.0])
A = np.random.default_rng(0).normal(size=(4, 3))
GIVEN = {"x": X, "v": V, "A": A}


def evaluate(latex, *where, symbols=None, **given):
    eq = Equation("under test", latex, where, symbols or {})
    return eq.evaluate(**{name: value for name, value in (GIVEN | given).items() if name in eq.inputs})


def refusal(latex, **symbols):
    with pytest.raises(EquationError) as caught:
        evaluate(latex, symbols=symbols)
    message, line, mark = str(caught.value).split("\n")
    return message, line[mark.index("^") :]


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        (r"\lVert x \rVert", np.linalg.norm(X)),
        (r"\lVert x \rVert_1", np.linalg.norm(X, 1)),
        (r"\lVert x \rVert_2", np.linalg.norm(X, 2)),
        (r"\lVert x \rVert_\infty", np.linalg.norm(X, np.inf)),
        (r"\lVert x \rVert_{\infty}", np.linalg.norm(X, np.inf)),
        (r"\lVert x \rVert_{p+1}", np.linalg.norm(X, 3)),
        (r"\lVert x \rVert_1^2", np.linalg.norm(X, 1) ** 2),
        (r"\lVert A \rVert", np.linalg.norm(A)),
        (r"\lVert A v \rVert_1", np.linalg.norm(A @ V, 1)),
    ],
)
def test_a_norm_has_an_index_and_is_euclidean_without_one(latex, value):
    np.testing.assert_allclose(evaluate(f"y = {latex}", symbols={"p": "() order"}, p=2), value, rtol=1e-14)


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        (r"x_4 \bmod 3", np.mod(-7.0, 3)),
        (r"x_1 x_3 \bmod 5", np.mod(6.0, 5)),
        (r"1 + (x_3 \bmod 3)", 2.0),
        (r"x_{(5 \bmod 4) + 1}", X[5 % 4]),
        (r"\ln(x_3)", np.log(4)),
        (r"\ln x_3", np.log(4)),
        (r"\log_{10}(x_3)", np.log10(4)),
        (r"\log_{10} x_3", np.log10(4)),
        (r"\log_2(x_3)", np.log2(4)),
        (r"\log_{2} x_3", np.log2(4)),
        (r"\sin^2(x_1)", np.sin(1.5) ** 2),
        (r"\cos^{3} x_1", np.cos(1.5) ** 3),
        (r"\log_2^2(x_3)", 4.0),
        (r"2 \sin^2(x_1) + 2 \cos^2(x_1)", 2.0),
        (r"x_3/2/4", 0.5),
        (r"8 x_3/2/4/2 - 1", 1.0),
        (r"x_3/(2/4)", 8.0),
    ],
)
def test_a_function_or_sign_is_that_of_numpy(latex, value):
    np.testing.assert_allclose(evaluate(f"y = {latex}"), value, rtol=1e-15)


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        (r"\arg\max_i x_i", np.argmax(X) + 1),
        (r"\arg\min_i x_i", np.argmin(X) + 1),
        (r"\arg \, \max_{i} x_i", np.argmax(X) + 1),
        (r"\arg\max_{i < 3} x_i", 1),
        (r"\arg\max_{i=2}^{2} x_i", 2),
        (r"\arg\max_i x_i \cdot 2 + 1", np.argmax(X) + 2),
        (r"x_{\arg\min_i x_i}", X.min()),
        (r"\arg\max_i \lvert x_i \rvert", np.argmax(np.abs(X)) + 1),
        (r"\arg\min_i \sum_j (A_{ij})^2", np.argmin((A**2).sum(1)) + 1),
    ],
)
def test_the_place_of_an_extremum_counts_from_one(latex, value):
    assert evaluate(f"y = {latex}") == value


def test_of_equal_extrema_the_first_counts():
    assert evaluate(r"y = \arg\max_i z_i", z=np.array([1.0, 3, 3, 0])) == 2
    assert evaluate(r"y = \arg\min_i z_i", z=np.array([1.0, 0, 3, 0])) == 2


def test_the_place_of_an_extremum_can_be_taken_for_each_row():
    np.testing.assert_array_equal(evaluate(r"y_i = \arg\max_j A_{ij}"), A.argmax(1) + 1)


def test_the_place_of_an_extremum_is_of_numbers_of_one_index():
    assert refusal(r"y = \arg\max_{i,j} A_{ij}")[0].startswith(r"\arg\max over several indices has no single value")
    assert refusal(r"y = \arg\max_i A_i")[0].startswith(r"\arg\max compares numbers, not arrays")
    assert refusal(r"y = \arg\min_{i < 1} x_i")[0] == r"\arg\min over nothing"


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        (r"\sum_{i,j} A_{ij}", A.sum()),
        (r"\sum_{i,j} x_i A_{ij} v_j + 1", X @ A @ V + 1),
        (r"\sum_{i,j=1}^{3} A_{ij}", A[:3, :3].sum()),
        (r"\sum_{i,j,k} A_{ij} x_k", A.sum() * X.sum()),
        (r"\prod_{i,j=2}^{3} A_{ij}", A[1:3, 1:3].prod()),
        (r"\max_{i,j} A_{ij}", A.max()),
        (r"\min_{i,j=1}^{2} A_{ij}", A[:2, :2].min()),
    ],
)
def test_a_sum_over_several_indices_runs_over_all_of_their_ranges(latex, value):
    np.testing.assert_allclose(evaluate(f"y = {latex}"), value, rtol=1e-13)


def test_a_sum_over_several_indices_binds_each_once():
    assert refusal(r"y = \sum_{i,i} x_i")[0] == "index i is already bound here; choose another letter"
    assert refusal(r"y = \sum_{i,j=1}^{i} A_{ij}")[0].startswith("index i is not bound here")


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        (r"x^\top A v", X @ A @ V),
        (r"x^\top x", X @ X),
        (r"x v^\top", np.outer(X, V)),
        (r"x^\top A", X @ A),
        (r"2 x^\top A v", 2 * X @ A @ V),
        (r"x^\top (A v)", X @ A @ V),
        (r"(A v)^\top x", A @ V @ X),
        (r"A v x^\top", np.outer(A @ V, X)),
        (r"x v^\top A^\top", np.outer(X, V) @ A.T),
        (r"\frac{x^\top A v}{\sqrt{x^\top x}} - 1", X @ A @ V / np.linalg.norm(X) - 1),
        (r"x^\top A + v", X @ A + V),
    ],
)
def test_a_transposed_vector_is_a_row_of_its_product(latex, value):
    np.testing.assert_allclose(evaluate(f"y = {latex}"), value, rtol=1e-13)


@pytest.mark.parametrize(
    ("latex", "message", "place"),
    [
        (r"x^\top", r"\top of a vector needs a factor after it", r"x^\top"),
        (r"x^\top + x", r"\top of a vector needs a factor after it", r"x^\top + x"),
        (r"x + x^\top", r"\top of a vector needs a factor after it", r"x^\top"),
        (r"\exp(x^\top)", r"\top of a vector needs a factor after it", r"x^\top)"),
        (r"A v^\top", "a row comes after a number or a vector", r"v^\top"),
        (r"v^\top v^\top", "a row comes after a number or a vector", r"v^\top"),
        (r"x^\top v", "cannot multiply shapes (4,) and (3,)", "v"),
        (r"x x", r"write x \cdot y, x \odot y, x^\top y or x y^\top", "x"),
        (r"x_1^\top x", r"\top needs a vector or a matrix, got 0 axes", r"x_1^\top x"),
    ],
)
def test_a_transposed_vector_without_its_factor_is_refused(latex, message, place):
    text, found = refusal(f"y = {latex}")
    assert message in text
    assert found == place


def test_a_causal_convolution_says_by_its_bounds_where_the_sequence_begins():
    w, x = np.array([0.5, -1.0, 2.0]), np.arange(1.0, 7.0) ** 2
    symbols = {"x": "(n) sequence", "w": "(K) weights", "y": "(n) filtered"}
    expected = np.convolve(x, w)[:6]
    for span in (r"_{k=1}^{\min(t, K)}", r"_{k \le t}"):
        value = evaluate(rf"y_t = \sum{span} w_k x_{{t-k+1}}", symbols=symbols, w=w, x=x)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
    with pytest.raises(EquationError, match=r"index 0 of x is outside 1\.\.6; bound the sum"):
        evaluate(r"y_t = \sum_{k=1}^{K} w_k x_{t-k+1}", symbols=symbols, w=w, x=x)


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        (r"\sin^{-1}(x_1)", r"write \sin(a)^2, \frac{1}{\sin(a)} or a function of your own"),
        (r"\sin^n(x_1)", r"the exponent of \sin is ambiguous"),
        (r"\max^2(x_1, x_2)", r"the exponent of \max is ambiguous"),
        (r"f^2(x_1)", r"write f(a)^2"),
        (r"\phi^2(x_1)", r"write \phi(a)^2"),
        (r"\lVert x \rVert_0", "the index of a norm is a number of at least 1"),
        (r"\lVert A \rVert_1", r"a norm of a matrix has no index here; \lVert A \rVert is the root of the sum"),
        (r"\sum_e x_e", "e is Euler's number here; choose another letter for the index"),
        (r"x_e", "e is Euler's number here: choose another letter, or declare e in symbols"),
        (r"\sum_{i=1}^{\infty} x_1", "a sum without end has no literal value: write its last term"),
    ],
)
def test_what_has_no_single_meaning_is_refused_with_the_fix(latex, message):
    assert message in refusal(f"y = {latex}", f="function", **{r"\phi": "function"})[0]


def test_eulers_number_on_the_left_side_is_explained():
    message = "e is Euler's number here; choose another letter for the index"
    assert refusal("y_e = x_e") == (message, "y_e = x_e")


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"y = |a| \lVert x \rVert_\infty", "y = |a| ‖x‖_∞"),
        (r"y = (a + b) \bmod c", "y = (a + b) mod c"),
        (r"y = \arg\max_i x_i", "y = argmax_(i) x_i"),
        (r"y = \sum_{i,j} x_i x_j", "y = Σ_(i) Σ_(j) x_i x_j"),
        (r"y = \sin^2(a)/b/c", "y = (sin(a)^2/b)/c"),
        (r"y = u^\top A v", "y = uᵀ A v"),
        (r"y = \log_{10}(\ln(a))", "y = log_10(ln(a))"),
    ],
)
def test_short_forms_print_plainly(latex, plain):
    assert str(Equation("under test", latex)) == plain


def test_steps_show_a_row_times_a_matrix():
    eq = Equation("form", r"y = u^\top A v")
    steps = eq.steps(u=[1, 2], A=[[1, 0], [0, 3]], v=[1, 1]).split("\n")
    assert steps[-2:] == ["uᵀ A = [1, 2] [[1, 0], [0, 3]] = [1, 6]", "y = uᵀ A v = [1, 6] [1, 1] = 7"]
