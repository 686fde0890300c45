"""docs/_ext/docstrings.py: formulas and labelled lines in docstrings."""

import importlib
from collections import namedtuple
from pathlib import Path

import pytest

from minigpt.equations import Equation

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")


@pytest.fixture
def docstrings(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    return importlib.import_module("docstrings")


def fields(docstrings, text):
    lines = text.split("\n")
    docstrings.label_fields(None, "module", "m", None, None, lines)
    return "\n".join(lines)


def test_a_hidden_formula_comes_back_as_it_was(docstrings):
    text = r"weights $a_{ij}^*$ and $$\frac{1}{2}$$ and ``literal``"
    assert docstrings.show(docstrings.hide(text)) == text


def test_hiding_keeps_the_length_of_every_line(docstrings):
    text = "x  $W^Q$  y\n$$a\n= b$$"
    assert [len(line) for line in docstrings.hide(text).split("\n")] == [11, 3, 5]


def test_nothing_of_a_hidden_formula_can_be_read_as_markup(docstrings):
    assert set(r"\_*{}$").isdisjoint(docstrings.hide(r"$\alpha_{i}^* $ $\beta$").replace(" $ ", ""))


def test_a_dollar_in_a_literal_is_no_formula(docstrings):
    assert docstrings.hide("``$x$ and $y$``") == "``$x$ and $y$``"


def test_two_formulas_on_a_line_stay_two(docstrings):
    nodes = list(docstrings.pieces(docstrings.hide("$a$ $b$")))
    assert [node.astext() for node in nodes] == ["a", " ", "b"]


def test_a_labelled_line_becomes_a_field_with_its_continuation(docstrings):
    text = "Softmax.\n\nDimensions: V entries;\nleading axes.\nSource: a book."
    assert fields(docstrings, text) == "Softmax.\n\n:Dimensions: V entries;\n   leading axes.\n:Source: a book."


def test_a_labelled_line_after_prose_starts_a_list_of_its_own(docstrings):
    assert fields(docstrings, "Prose.\nSource: a book.") == "Prose.\n\n:Source: a book."


def test_the_entry_of_a_table_does_not_repeat_it(docstrings):
    from docutils.utils import new_document
    from sphinx.addnodes import desc_annotation, desc_signature

    document = new_document("page")
    for value in (" = {'adam': 1}", " = 1e-10"):
        document += desc_signature("", "", desc_annotation("", ": float"), desc_annotation("", value))
    docstrings.HideTables(document).apply()
    assert [signature.astext() for signature in document] == [": float", ": float = 1e-10"]


def test_a_section_of_napoleon_is_left_to_napoleon(docstrings):
    assert fields(docstrings, "Source:\n    a book") == "Source:\n    a book"


def test_a_dimension_alone_is_text_and_not_the_number_of_a_list(docstrings):
    lines = ["Args:", "    d_model: D.", "    x: in D. It is dense."]
    docstrings.hide_formulas(None, "function", "m.f", None, None, lines)
    assert lines == ["Args:", "    d_model: D\\.", "    x: in D. It is dense."]


def test_what_implements_an_equation_shows_it_below_its_first_paragraph(docstrings):
    def double(x):
        return 2 * x

    double.equation = Equation("double", r"y = 2 x", source="a book")
    lines = ["Twice as much.", "", "Args:", "    x: a number.", ""]
    docstrings.show_equation(None, "function", "m.double", double, None, lines)
    assert lines[:5] == ["Twice as much.", "", double.equation.display, "", "Source: a book."]
    assert lines[-3:] == ["Args:", "    x: a number.", ""]


def test_an_equation_of_several_lines_is_shown_on_one(docstrings):
    def split(x):
        return x, 2 * x

    split.equation = Equation("split", "\\begin{aligned}\n    y &= x \\\\\n    z &= 2 x\n    \\end{aligned}")
    lines = ["Once and twice."]
    docstrings.show_equation(None, "function", "m.split", split, None, lines)
    assert r" y &= x \\ z &= 2 x " in lines[2]


def test_a_field_of_a_named_tuple_has_no_entry_of_its_own_and_a_method_has(docstrings):
    pair = namedtuple("pair", ["left"])
    assert docstrings.skip_field(None, "class", "left", pair.left, False, None) is True
    assert docstrings.skip_field(None, "class", "count", pair.count, False, None) is None


def test_a_class_that_nobody_calls_is_shown_without_a_call(docstrings):
    assert docstrings.readable_defaults(None, "class", "m.C", None, None, "(*args, **kwargs)", None) == (None, None)


def test_a_class_does_not_show_the_equation_of_the_one_above_it(docstrings):
    base = type("Base", (), {"equation": Equation("double", r"y = 2 x")})
    lines = ["A class.", ""]
    docstrings.show_equation(None, "class", "m.Derived", type("Derived", (base,), {}), None, lines)
    assert lines == ["A class.", ""]


def test_a_default_that_is_no_python_is_shown_as_dots(docstrings):
    shown, _ = docstrings.readable_defaults(None, "class", "C", None, None, "(model=<factory>)", None)
    assert shown == "(model=...)"
    shown, _ = docstrings.readable_defaults(None, "function", "f", None, None, "(loss=<function m.f at 0x7f>)", None)
    assert shown == "(loss=m.f)"
