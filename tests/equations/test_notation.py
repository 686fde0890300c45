"""The table of what can be written: each row of the how-to has the value that numpy gives."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from minigpt.equations import Equation

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "add-an-equation.md"
ROWS = [cell.replace(r"\|", "|") for cell in re.findall(r"^\| `(.+?)` \| ", PAGE.read_text("utf-8"), re.MULTILINE)]
a, b, c = 2.5, -1.5, 3.0
x, y = np.array([0.5, 3.0, -2.0]), np.array([1.0, -4.0])
A = np.array([[1.0, 2.0, -3.0], [0.5, -1.0, 4.0]])
VALUES = {
    "2 a b": 2 * a * b,
    r"\frac{a + b}{c}": (a + b) / c,
    "a/b/c": a / b / c,
    r"a \bmod b": a - b * math.floor(a / b),
    "x^2": x * x,
    r"\log(a)": math.log(a),
    r"\log_{10}(a)": math.log10(a),
    r"\sin^2(a)": math.sin(a) ** 2,
    r"\operatorname{erf}(a)": math.erf(a),
    "|a| + |b|": abs(a) + abs(b),
    r"\lvert a \lvert b \rvert c \rvert": abs(a * abs(b) * c),
    r"\lVert x \rVert_1": np.abs(x).sum(),
    r"\lVert x \rVert": np.linalg.norm(x),
    r"\lceil a \rceil": math.ceil(a),
    r"\max(a, b)": max(a, b),
    r"\mathbb{1}[a > b]": float(a > b),
    r"\sum_{i=1}^{2} x_i + 1": x[:2].sum() + 1,
    r"\sum_i x_i": x.sum(),
    r"\sum_{1 < i \le 3} x_i": x[1:].sum(),
    r"\sum_{i,j} A_{ij}": A.sum(),
    r"\arg\max_i x_i": x.argmax() + 1,
    "A x": A @ x,
    r"x \cdot x": x @ x,
    r"x \odot x": x * x,
    r"y^\top A x": y @ A @ x,
    r"y x^\top": np.outer(y, x),
    r"A^\top y": A.T @ y,
}


def test_the_table_has_a_value_for_each_row():
    assert list(VALUES) == ROWS


@pytest.mark.parametrize(("latex", "value"), VALUES.items())
def test_what_the_table_shows_has_its_value(latex, value):
    eq = Equation("row", f"z = {latex}")
    given = {"a": a, "b": b, "c": c, "x": x, "y": y, "A": A}
    result = eq.evaluate(**{name: given[name] for name in given.keys() & eq.inputs.keys()})
    np.testing.assert_allclose(result, value, rtol=1e-14, strict=False)
    assert result.shape == np.shape(value)
