import numpy as np
import pytest

from minigpt.equations import Equation, EquationError

X, A = np.array([1.0, 2.0, 4.0]), np.arange(6.0).reshape(2, 3)


def evaluate(latex, *where, symbols=None, **given):
    return Equation("under test", latex, where, symbols or {}).evaluate(**given)


def refusal(*arguments, **given):
    with pytest.raises(EquationError) as caught:
        evaluate(*arguments, **given)
    message, line, caret = str(caught.value).split("\n")
    return message, line[caret.index("^") :]


def test_a_sum_takes_its_bounds_literally():
    assert evaluate(r"y = \sum_{k=2}^{3} x_k", x=X) == 6


def test_the_body_of_a_sum_runs_to_the_end_of_its_term():
    assert evaluate(r"y = \sum_{k} x_k \cdot x_k + 1", x=X) == 22


def test_a_range_may_be_a_comparison():
    assert evaluate(r"y = \sum_{1 < k \le 3} x_k", x=X) == 6


def test_an_empty_sum_is_zero_an_empty_product_one_and_an_empty_maximum_an_error():
    assert evaluate(r"y = \sum_{k=2}^{1} x_k", x=X) == 0
    assert evaluate(r"y = \prod_{k=2}^{1} x_k", x=X) == 1
    assert refusal(r"y = \max_{k < 1} x_k", x=X) == (r"\max over nothing", r"\max_{k < 1} x_k")


def test_juxtaposition_binds_tighter_than_the_slash():
    assert evaluate(r"y = 8x/4", x=2) == 4


def test_the_minus_before_a_power_is_taken_last():
    assert evaluate(r"y = -x^2", x=3) == -9


def test_a_vector_is_a_column_after_a_matrix_and_a_row_before_one():
    np.testing.assert_array_equal(evaluate("y = A x", A=A, x=X), A @ X)
    np.testing.assert_array_equal(evaluate("y = x A", A=A.T, x=X), X @ A.T)


def test_a_vector_by_a_vector_needs_a_sign():
    assert refusal("y = x x", x=X)[1] == "x"
    assert evaluate(r"y = x \cdot x", x=X) == 21
    np.testing.assert_array_equal(evaluate(r"y = x \odot x", x=X), X * X)


@pytest.mark.parametrize(
    ("latex", "place"),
    [
        (r"y = A + x", "A + x"),
        (r"y = x A", "A"),
        (r"y = x \cdot A", r"x \cdot A"),
        (r"y = A^2", "A^2"),
        (r"y = \frac{A}{A}", r"\frac{A}{A}"),
        (r"y = x^\top A", "A"),
        (r"y = \sum_{i=1}^{3} A_{ii}", "A_{ii}"),
        (r"y = x_4", "x_4"),
        (r"y = x_0", "x_0"),
        (r"y = x_{3/2}", "3/2}"),
        (r"y = \sum_{i=1}^{2} A_{i,1,1}", "A_{i,1,1}"),
    ],
)
def test_a_shape_that_does_not_fit_is_an_error_at_its_place(latex, place):
    given = {name: value for name, value in {"A": A, "x": X}.items() if name in latex.split("=", 1)[1]}
    assert refusal(latex, **given)[1] == place


def test_a_name_without_a_value_is_an_error_at_its_place():
    assert refusal("y = x + q", x=1.0) == ("q has no value; pass it to evaluate", "q")


def test_cases_are_evaluated_lazily_and_one_must_hold():
    cases = r"y_i = \begin{cases} x_{i-1} & \text{if } i > 1 \\ 0 & \text{otherwise} \end{cases}"
    np.testing.assert_array_equal(evaluate(cases, symbols={"y": "(3)"}, x=X), [0, 1, 2])
    assert refusal(r"y = \begin{cases} 1 & \text{if } 2 < 1 \end{cases}")[0].startswith("no case holds")


def test_a_recurrence_is_evaluated_on_demand_from_its_base_case():
    np.testing.assert_array_equal(evaluate("s_i = s_{i-1} + x_i", "s_0 = 10", x=X), [11, 13, 17])


def test_a_base_case_goes_before_the_general_row():
    np.testing.assert_array_equal(evaluate("s_i = s_{i-1} + x_i", "s_1 = 10", x=X), [10, 12, 16])


def test_a_recurrence_without_base_case_is_an_error_at_the_missing_entry():
    message, place = refusal("s_i = s_{i-1} + x_i", x=X)
    assert message.startswith("s has no entry 0: it is out of range, or where needs the base case")
    assert place == "s_{i-1} + x_i"


def test_a_name_defined_by_itself_is_an_error():
    assert refusal("a = b", "b = a")[0] == "a is defined by itself"


def test_entries_left_out_or_defined_twice_are_errors():
    assert refusal("y_{2i} = x_i", x=X)[0] == "entry 1 of y is not defined"
    twice = r"\begin{aligned} y_i &= x_i \\ y_j &= 2 x_j \end{aligned}"
    assert refusal(twice, x=X)[0] == "entry 1 of y is defined twice"


def test_a_function_declared_for_single_numbers_maps_over_an_array():
    symbols = {"z": "() input"}
    np.testing.assert_array_equal(evaluate("y = f(x)", r"f(z) = z (z + 1)", symbols=symbols, x=X), X**2 + X)


def test_a_function_of_a_vector_takes_it_whole_and_may_be_indexed():
    definition = r"\mathrm{softmax}(z)_j = \frac{\exp(z_j)}{\sum_k \exp(z_k)}"
    symbols = {"s": "(n, m)", "a": "(n, m)", "z": "(m)"}
    value = evaluate(r"a_{ij} = \mathrm{softmax}(s_i)_j", definition, symbols=symbols, s=A)
    np.testing.assert_allclose(value, np.exp(A) / np.exp(A).sum(1, keepdims=True), rtol=1e-14)


def test_values_may_be_indices_and_count_from_one():
    np.testing.assert_array_equal(evaluate("y_i = x_{t_i}", x=X, t=[3, 1]), [4, 1])


def test_all_before_a_position_is_a_slice():
    assert evaluate("y = f(x_{<3})", symbols={"f": "function"}, x=X, f=np.sum) == 3


def test_an_undeclared_function_given_as_a_value_is_an_error():
    assert refusal("y = f(x)", f=np.sin, x=1.0)[0].startswith("f is given as a function")


def test_e_pi_and_infinity_are_constants_unless_declared():
    assert evaluate(r"y = e^{-\infty} + \cos(\pi)") == -1
    assert evaluate("y = e", symbols={"e": "() something else"}, e=5) == 5


def test_the_value_outside_a_domain_is_literal_and_silent():
    assert evaluate(r"y = \log(0)") == -np.inf
    assert np.isnan(evaluate(r"y = 0 \log(0)"))


@pytest.mark.parametrize(
    ("latex", "place"),
    [
        (r"y = \mathbb{1}[x \le 2]", r"x \le 2]"),
        (r"y = \sum_{i < x} x_i", "i < x} x_i"),
        (r"y = \begin{cases} 1 & \text{if } x = x \\ 0 & \text{otherwise} \end{cases}", "x = x"),
    ],
)
def test_a_condition_on_an_array_is_an_error_at_its_place(latex, place):
    message, found = refusal(latex, x=X)
    assert message == "a condition compares numbers, not arrays; write it with indices"
    assert found.startswith(place)
