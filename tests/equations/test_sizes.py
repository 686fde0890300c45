import numpy as np
import pytest

from minigpt.equations import Equation, EquationError

MATRIX_VECTOR = r"y_i = \sum_{j=1}^{n} a_{ij} x_j"


def refusal(latex, symbols=None, **given):
    with pytest.raises(EquationError) as caught:
        Equation("under test", latex, (), symbols or {}).evaluate(**given)
    message, line, caret = str(caught.value).split("\n")
    return message, line[caret.index("^") :]


def test_a_size_that_is_not_given_is_that_of_the_axes_its_index_runs_over():
    np.testing.assert_array_equal(Equation("sum", MATRIX_VECTOR).evaluate(a=np.ones((2, 3)), x=[1, 2, 3]), [6, 6])


def test_a_size_that_is_given_is_taken():
    np.testing.assert_array_equal(Equation("sum", MATRIX_VECTOR).evaluate(a=np.ones((2, 3)), x=[1, 2, 3], n=2), [3, 3])


def test_unequal_axes_of_one_index_are_an_error_at_the_second():
    message, place = refusal(MATRIX_VECTOR, a=np.ones((2, 3)), x=[1, 2])
    assert message == "j runs over 3 in a, but over 2 here; an index needs axes of one length"
    assert place == "x_j"


def test_declared_sizes_that_disagree_are_an_error_at_the_array():
    message, place = refusal(MATRIX_VECTOR, {"a": "(m, n)", "x": "(n)"}, a=np.ones((2, 3)), x=[1, 2])
    assert message == "axis 1 of x has length 2; expected 3, since n is 3 elsewhere"
    assert place == "x_j"


def test_a_declared_number_of_axes_is_held():
    message, place = refusal("y = A x", {"x": "(n) vector"}, A=np.ones((2, 2)), x=np.ones((2, 2)))
    assert message == "x is declared with 1 axis, got shape (2, 2)"
    assert place == "x"


def test_a_size_may_be_composed():
    symbols = {"x": "(d)", "w": "(d/2) one a pair"}
    latex = r"y = \sum_{i=1}^{d/2} w_i x_{2i}"
    assert Equation("pairs", latex, (), symbols).evaluate(x=[1, 2, 3, 4], w=[1, 10]) == 42
    message = "axis 1 of w has length 3; expected 2, since d is 4 elsewhere"
    assert refusal(latex, symbols, x=[1, 2, 3, 4], w=[1, 10, 100])[0] == message


def test_the_result_is_held_against_its_declared_shape():
    message, place = refusal("y_i = x_i", {"x": "(n)", "y": "(n, n)"}, x=[1, 2])
    assert message == "y is declared with 2 axes, got shape (2,)"
    assert place == "y_i = x_i"


def test_an_index_within_a_sum_only_runs_as_far_as_it_reaches():
    np.testing.assert_array_equal(Equation("odd", "y_i = x_{2i-1}").evaluate(x=[1, 2, 3, 4, 5]), [1, 3, 5])


def test_an_index_with_nothing_to_run_over_is_an_error():
    assert refusal("y_i = x", x=1.0)[0] == ("the range of i is unknown: write its bounds or declare shapes in symbols")


def test_a_declared_left_side_may_be_shorter_than_the_axis_that_its_differences_use_up():
    x, y = np.array([1.0, 4, 9, 16]), np.arange(12.0).reshape(3, 4) ** 2
    differences = Equation("steps", "d_i = x_{i+1} - x_i", (), {"x": "(n)", "d": "(n - 1) differences"})
    np.testing.assert_array_equal(differences.evaluate(x=x), np.diff(x))
    second = Equation("steps", "d_i = x_{i+2} - 2 x_{i+1} + x_i", (), {"x": "(n)", "d": "(n - 2)"})
    np.testing.assert_array_equal(second.evaluate(x=x), np.diff(x, 2))
    down = Equation("steps", "d_{ij} = y_{i+1,j} - y_{ij}", (), {"y": "(n, m)", "d": "(n - 1, m)"})
    np.testing.assert_array_equal(down.evaluate(y=y), np.diff(y, axis=0))


def test_an_axis_that_is_not_used_up_must_be_as_long_as_the_declared_left_side():
    symbols = {"x": "(n)", "d": "(n - 1)"}
    message, place = refusal("d_i = x_{i+1} - x_i + w_i", symbols, x=np.ones(4), w=np.ones(4))
    assert message == "i runs over 3 in d, but over 4 here; an index needs axes of one length"
    assert place == "w_i"
    assert refusal("d_i = x_i", symbols, x=np.ones(4))[0].startswith("i runs over 3 in d, but over 4")
    assert refusal("d_i = x_{i+2} - x_i", symbols, x=np.ones(4))[0].startswith("i runs over 3 in d, but over 4")


def test_a_difference_without_a_declared_left_side_is_out_of_range_and_says_what_helps():
    message = refusal("d_i = x_{i+1} - x_i", {"x": "(n)"}, x=np.ones(4))[0]
    assert message == "index 5 of x is outside 1..4; bound the sum, declare a shorter shape or write cases"
