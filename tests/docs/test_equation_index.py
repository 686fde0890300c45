"""docs/_ext/equation_index.py: the equation, its code, its check and its error on one page."""

import ast
import importlib
import re
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


PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "equations.md").read_text(encoding="utf-8")


@pytest.fixture
def unmeasured(index, monkeypatch):
    monkeypatch.setattr(index, "errors", lambda: dict.fromkeys(equations.all(), 0.0))
    return index


def test_the_page_shows_every_equation_once_under_a_theme(unmeasured):
    assert sorted(each.name for each in unmeasured.shown_on(PAGE)) == sorted(each.name for each in equations.all())
    themes = re.findall(r"^## (.+)\n\n```\{equation-index\}", PAGE, re.MULTILINE)
    assert len(themes) == len(unmeasured.sections_of(PAGE)) > 5


@pytest.mark.parametrize("times", [0, 2])
def test_an_equation_in_no_section_or_in_two_stops_the_build(unmeasured, times):
    page = PAGE.replace("\nmodel.mlp\n", "\n") + "\n```{equation-index}\nmodel.mlp\n```\n" * times
    with pytest.raises(unmeasured.ExtensionError, match=r"name the module of .*gelu-tanh.* in one section"):
        unmeasured.shown_on(page)


@EVERY
def test_the_table_has_the_name_the_formula_and_the_code_of_an_equation(index, equation):
    name, code, formula = (cell.strip() for cell in index.table([equation]).splitlines()[-1].strip("|").split(" | "))
    assert name == f"[{equation.name}](#{equation.name})"
    assert code == index.link(equation, short=True) and f"<{equation.function.__module__}." in code
    assert "|" not in formula and formula[0] == formula[-1] == "$"
    assert "".join(formula[1:-1].replace(r"\vert", "|").split()) == "".join(equation.latex.split())


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


def test_a_bar_in_the_table_is_a_command_of_its_own_before_a_letter(index):
    assert index.inline("|m_b| + |2|") == r"\vert m_b\vert + \vert2\vert"


def test_the_code_is_shown_without_its_equation_and_its_docstrings(index):
    assert index.bare(SOURCE) == "class A:\n    def g(self):\n        return 1\n"


def test_a_body_that_is_a_docstring_stays(index):
    assert index.bare('class A:\n    """What."""\n') == 'class A:\n    """What."""\n'
