"""docs/_ext/equation_index.py: the equation, its code, its check and its error on one page."""

import ast
import importlib
from pathlib import Path

import pytest

from minigpt import equations
from minigpt.checks import CHECKS

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")

EVERY = pytest.mark.parametrize("equation", equations.all(), ids=lambda equation: equation.name)


@pytest.fixture
def index(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    return importlib.import_module("equation_index")


def test_no_error_is_written_without_an_exponent(index):
    assert "ten draws is 0.\n" in index.section(equations.all()[0], 0.0)


@EVERY
def test_an_entry_has_the_formula_the_function_the_source_the_error_and_both_codes(index, equation):
    text, function = index.section(equation, 3e-16), equation.function
    assert equation.latex in text and equation.source in text and "3.0e-16" in text
    assert f"<{function.__module__}.{function.__qualname__}>`" in text
    code, check = (block.split("```")[0] for block in text.split("```python\n")[1:])
    assert ast.parse(code).body[0].name == function.__name__
    assert ast.parse(check).body[0].name == CHECKS[equation.name].__name__


SOURCE = """
    @f(
        "x",
    )
    class A:
        'What.'

        def g(self):
            'How.'
            return 1
"""


def test_the_code_is_shown_without_its_equation_and_its_docstrings(index):
    assert index.bare(SOURCE) == "class A:\n    def g(self):\n        return 1\n"


def test_a_body_that_is_a_docstring_stays(index):
    assert index.bare('class A:\n    """What."""\n') == 'class A:\n    """What."""\n'
