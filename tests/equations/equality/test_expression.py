import pytest

from minigpt.equations.equality.expression import completed, free_letters, left_side, parted


def test_definitions_and_other_spellings_are_read():
    assert parted(r"$\dfrac{a}{\varepsilon}, \text{where } a = 2, \text{where: } b = 3$") == (
        r"\frac{a}{\epsilon}",
        ["a = 2", "b = 3"],
    )
    assert parted(r"p_i (\delta_{ij} - p_j)")[0] == r"p_i (\mathbb{1}[i = j] - p_j)"


@pytest.mark.parametrize(
    ("latex", "left"),
    [
        (r"y_i = a x_i", "y_i"),
        (r"\sum_{i=1}^{n} x_i", ""),
        (r"\mathbb{1}[i = j]", ""),
        (r"\frac{\partial L}{\partial z_i} = p_i - y_i", r"\frac{\partial L}{\partial z_i}"),
        (r"\begin{aligned} a &= b \end{aligned}", ""),
    ],
)
def test_the_left_side_is_before_an_equals_sign_outside_brackets(latex, left):
    assert left_side(latex) == left


def test_free_letters_are_those_that_nothing_binds():
    symbols = {"x": "(n) numbers", "c": "() a class", "a": "(n, n) numbers"}
    assert free_letters(r"\sum_{k=1}^{n} a_{ik} x_k + \mathbb{1}[j = i] x_c + b", [], symbols) == {
        "i": True,
        "j": True,
        "b": False,
    }
    assert free_letters(r"\sum_{s \le t} x_s", [], symbols) == {"t": False}


def test_free_letters_become_the_indices_of_the_result():
    equation = completed(r"x_j y_i", symbols={"x": "(n) numbers", "y": "(m) numbers"})
    assert equation.evaluate(x=[1, 2, 3], y=[10, 20]).tolist() == [[10, 20, 30], [20, 40, 60]]
    other = completed(r"x_j y_i", symbols={"x": "(n) numbers", "y": "(m) numbers"}, order=lambda letters: "ji")
    assert other.evaluate(x=[1, 2, 3], y=[10, 20]).tolist() == [[10, 20], [20, 40], [30, 60]]
