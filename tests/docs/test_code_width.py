"""Code on the site fits a page: no line is longer than 88 columns. What a program printed may be; it wraps."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from minigpt import equations
from minigpt.checks import CHECKS

ROOT = Path(__file__).parents[2]
LONGEST = 88
FENCED = re.compile(
    r"^[> ]*(?P<fence>`{3,})(?P<language>\S*)[^\n]*\n(?P<text>.*?)^[> ]*(?P=fence)$", re.DOTALL | re.MULTILINE
)
NOT_CODE = ("output", "text", "math", "")


def pages():
    """README in both languages and every page of the site that is written by hand."""
    built = {"_build", "node_modules"}
    found = [path for path in (ROOT / "docs").rglob("*.md") if not built & set(path.relative_to(ROOT).parts)]
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted(found)]


def long_lines(code):
    return [line for line in code.splitlines() if len(line) > LONGEST]


def is_code(language):
    return language not in NOT_CODE and not language.startswith("{")


def wide_code(markdown):
    """The long lines of the blocks of code in a page."""
    blocks = [match["text"] for match in FENCED.finditer(markdown) if is_code(match["language"])]
    return [line for block in blocks for line in long_lines(block)]


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_of_a_page_fits(path):
    assert wide_code(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0-9]*.py")), ids=lambda path: path.name)
def test_the_cells_of_a_notebook_fit(path):
    jupytext = pytest.importorskip("jupytext", reason="notebooks need the notebook extra")
    for cell in jupytext.read(path, fmt="py:percent").cells:
        assert (long_lines if cell.cell_type == "code" else wide_code)(cell.source) == []


def test_a_long_line_is_found_in_code_and_not_in_what_was_printed():
    long = "x" * 89
    assert wide_code(f"# Title\n\n{long}\n\n```python\n{long}\n```\n\n```output\n{long}\n```\n") == [long]


@pytest.fixture
def fitted_code(monkeypatch):
    pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")
    pytest.importorskip("ruff", reason="the site lays out code with ruff: install the docs extra")
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    return importlib.import_module("fitted_code")


def test_a_long_statement_comment_and_text_are_cut_and_mean_the_same(fitted_code):
    code = (
        f'def f(name):\n    # {"why " * 30}\n    raise ValueError(f"{"got " * 20}{{name}} {"more " * 20}", f(1, 2))\n'
    )
    fitted = fitted_code.fitted(code)
    assert long_lines(fitted) == []
    assert ast.dump(ast.parse(fitted)) == ast.dump(ast.parse(code))
    assert fitted.count("why") == 30


def test_code_that_fits_stays_as_it_is(fitted_code):
    assert fitted_code.fitted("f( 1,2 )\n") == "f( 1,2 )\n"


def test_a_text_is_not_cut_inside_the_braces_of_a_value(fitted_code):
    line = f'    f"{"a" * 60} {{first.value + second.value + third.value}} {"b" * 20}"'
    cut = fitted_code.cut(line)
    assert ast.dump(ast.parse(f"({cut})")) == ast.dump(ast.parse(f"({line})"))


def test_the_code_on_the_page_of_equations_fits(fitted_code):
    index = importlib.import_module("equation_index")
    for equation in equations.all():
        for function in (equation.function, CHECKS[equation.name]):
            assert long_lines(index.shown(function)) == []
