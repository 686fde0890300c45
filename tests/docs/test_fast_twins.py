"""docs/_ext/fast_twins.py: the table of fast twins on the site is that of the code."""

import importlib
from pathlib import Path

import pytest

from minigpt.equations import twins
from minigpt.model.norms import fast_rms_norm

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")


@pytest.fixture
def fast_twins(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    return importlib.import_module("fast_twins")


def test_each_twin_has_a_row_and_those_of_one_formula_are_together(fast_twins):
    head, line, *rows = fast_twins.table().splitlines()
    assert len(rows) == len(twins.all())
    assert {row.count("|") for row in (head, line, *rows)} == {7}
    formulas = [row.split("|")[1] for row in rows]
    assert formulas == [formula for name in dict.fromkeys(formulas) for formula in formulas if formula == name]


def test_a_row_says_what_the_declaration_says(fast_twins):
    twin = fast_rms_norm.fast_twin
    assert fast_twins.cells(twin) == [
        "{py:obj}`norms.rms_norm <minigpt.model.norms.rms_norm>`",
        "{py:obj}`norms.fast_rms_norm <minigpt.model.norms.fast_rms_norm>`",
        twin.when,
        "$10^{-6}$",
        "written by hand",
        twin.faster,
    ]


def test_what_is_exact_is_said_beside_the_error(fast_twins):
    (twin,) = (twin for twin in twins.all() if twin.name.endswith("fast_clip_by_norm"))
    assert fast_twins.cells(twin)[3] == "$10^{-6}$; exact: gradients within the norm are not touched"


def test_an_error_is_a_power_of_ten(fast_twins):
    assert [fast_twins.power(error) for error in (2e-6, 1e-5, 0)] == [r"$2 \cdot 10^{-6}$", "$10^{-5}$", "0"]
