import numpy as np
import pytest

from minigpt.equations import Equation, EquationError

X = np.array([1.5, -2.0, 4.0])


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        ("|x_2|", 2.0),
        ("|x_2| + |x_1 - x_3|", 4.5),
        ("2|x_2|", 4.0),
        ("|x_2| x_1", 3.0),
        ("x_1 |x_2| x_3", 12.0),
        ("|x_2|^2 - |-x_1|", 2.5),
        ("|x_2|/|x_3|", 0.5),
        (r"\sum_i |x_i|", 7.5),
        (r"\max_{i} |x_i - 1|", 3.0),
        (r"\log |x_2|", np.log(2)),
        (r"\frac{|x_2|}{|x_3|}", 0.5),
        ("| x_2 (|x_2| - 5) |", 6.0),
        (r"|x_2 \cdot x_3|", 8.0),
        (r"\lvert x_1 \lvert x_2 \rvert x_2 \rvert", 6.0),
        (r"\left| \frac{x_2}{2} \right|", 1.0),
        (r"\left|x_2\right| |x_3|", 8.0),
        (r"\lVert |x_2| x \rVert_1", 15.0),
    ],
)
def test_bars_that_can_be_paired_in_one_way_are_absolute_values(latex, value):
    np.testing.assert_allclose(Equation("bars", f"y = {latex}").evaluate(x=X), value, rtol=1e-15)


def test_bars_in_the_cases_and_rows_of_a_system_are_told_apart():
    cases = r"y_i = \begin{cases} |x_i| & \text{if } |x_i| < 2 \\ |x_i| - |a| & \text{otherwise} \end{cases}"
    np.testing.assert_array_equal(Equation("bars", cases, ["a = |-1|"]).evaluate(x=X), [1.5, 1.0, 3.0])


@pytest.mark.parametrize(
    ("latex", "message", "place"),
    [
        ("|a| b |c|", "can be paired in two ways", "| b |c|"),
        ("a | b", "a bar without its partner", "| b"),
        ("p(a | b)", "a bar without its partner", "| b)"),
        ("||a||", "double bars are ambiguous", "|a||"),
        ("|a + |b||", "double bars are ambiguous", "|"),
        (r"\|a\|", "double bars are ambiguous", r"\|a\|"),
    ],
)
def test_bars_that_are_ambiguous_or_alone_are_refused_with_the_macros_to_write(latex, message, place):
    with pytest.raises(EquationError) as caught:
        _ = Equation("bars", f"y = {latex}").document
    text, line, mark = str(caught.value).split("\n")
    assert message in text
    assert r"write \lvert a \rvert for an absolute value, \lVert x \rVert for a norm, \mid for a condition" in text
    assert line[mark.index("^") :] == place


def test_bars_around_a_vector_are_refused():
    with pytest.raises(EquationError, match=r"write \|x_i\| of an entry or .lVert x .rVert for a norm"):
        Equation("bars", "y = |x|").evaluate(x=X)
