import re

import pytest

from minigpt.equations import Equation, EquationError
from minigpt.equations.hints import MACROS
from minigpt.equations.parse import grammar


@pytest.mark.parametrize(
    ("latex", "hint"),
    [
        (r"\log p q", r"parentheses: \log(x y)"),
        (r"\sin^2 x y", r"parentheses: \log(x y)"),
        (r"\log_3(x)", r"\log_2 and \log_{10}; for another one write \frac{\log(x)}{\log(b)}"),
        ("a/b c", r"write \frac{a}{b} c or a/(b c)"),
        (r"a + b \bmod c", r"(a + b) \bmod c or a + (b \bmod c)"),
        (r"a \bmod b + c", r"(a \bmod b) + c or a \bmod (b + c)"),
        (r"a \cdot b \cdot c", r"add parentheses: (a \cdot b) \cdot c"),
        (r"a/b \cdot c", "add parentheses"),
        (r"\frac12", r"write braces: \frac{1}{2}"),
        (r"\sqrt2", r"\sqrt{2}"),
        ("2 x 3", "write the number first: 2 x"),
        (r"x_{\text{in}}", "declare a name with a word in its subscript in symbols"),
        (r"\operatorname{foo}(x)", "only erf and sign are written so; write the formula of another function"),
        ("a * b", r"with \cdot or with \odot"),
        (r"b \\ c = d", r"put several rows into \begin{aligned}"),
        ("|x|_1", r"write a norm as \lVert x \rVert_1"),
        (r"\lVert x \rVert^2_1", r"before its exponent: \lVert x \rVert_1^2"),
        (r"\left( x )", r"close \left( with \right)"),
        ("(x", "a part is missing, or something that was opened is not closed"),
        (r"x \leq y", r"write \le"),
        (r"\alpah", r"write \alpha"),
        (r"\Lbrace", r"a name of your own is \mathrm{Lbrace}"),
        (r"ln(x)", r"write \ln"),
    ],
)
def test_a_refusal_says_what_to_write(latex, hint):
    with pytest.raises(EquationError) as caught:
        _ = Equation("under test", f"y = {latex}").document
    assert hint in str(caught.value).split("\n")[0]


def test_no_macro_of_the_notation_is_advised_against():
    assert not {macro.removeprefix("\\") for macro in MACROS} & grammar()[1]


@pytest.mark.parametrize("better", MACROS.values())
def test_the_macros_that_are_advised_are_those_of_the_notation(better):
    assert set(re.findall(r"\\([a-zA-Z]+)", better)) <= grammar()[1]
