"""The list of tutorials has each of them, with a picture, its minutes and what one needs to know."""

import importlib
import io
import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")
Image = pytest.importorskip("PIL.Image", reason="the site makes pictures: install the docs extra")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorials" / "index.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^```\{tutorial\} (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.py"))
WRITTEN = sorted(path.stem for path in (ROOT / "docs" / "tutorials").glob("*.md") if path.stem != "index")


@pytest.fixture
def tutorial_list(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    return importlib.import_module("tutorial_list")


def test_every_tutorial_is_in_the_list_notebooks_first():
    assert list(LISTED) == NOTEBOOKS + WRITTEN, "add a block {tutorial} for it to docs/tutorials/index.md"


@pytest.mark.parametrize("name", LISTED)
def test_an_entry_has_minutes_a_text_for_the_picture_a_line_and_what_one_needs(name):
    options, line, needs = LISTED[name].strip().split("\n\n")
    assert re.search(r"^:minutes: \d+$", options, re.MULTILINE) and re.search(r"^:alt: \w.+\.$", options, re.MULTILINE)
    assert line.endswith(".") and needs.startswith("You need: ")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_minutes_are_those_that_the_notebook_names(name):
    opening = (ROOT / "notebooks" / f"{name}.py").read_text(encoding="utf-8")[:3000].replace("\n#", "")
    named = re.search(r"[Aa]bout (\d+) minutes|In (five) minutes", opening)
    assert named, "say at its start how long it takes: About N minutes."
    assert f":minutes: {named[1] or 5}\n" in LISTED[name]


@pytest.mark.parametrize("name", LISTED)
def test_a_picture_is_small(tutorial_list, name, tmp_path):
    code = re.search(r"^:code: (.+)$", LISTED[name], re.MULTILINE)
    if code:
        picture = tutorial_list.bars((ROOT / "docs" / "tutorials" / code[1]).read_text(encoding="utf-8"))
    else:
        picture = tutorial_list.first_figure(ROOT / "notebooks" / f"{name}.ipynb")
    data = tutorial_list.small(picture)
    assert len(data) <= 30_000
    width, height = Image.open(io.BytesIO(data)).size
    assert width <= 280 and height <= 200 and max(width / 280, height / 200) > 0.99


def test_a_noisy_picture_is_made_small_enough(tutorial_list):
    noise = Image.effect_noise((800, 600), 100).convert("RGB")
    assert len(tutorial_list.small(noise)) <= 30_000


def test_a_notebook_without_a_figure_is_refused(tutorial_list, tmp_path):
    (tmp_path / "01-a.ipynb").write_text('{"cells": [{"cell_type": "markdown"}]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"01-a\.ipynb has no figure; name a file of code"):
        tutorial_list.first_figure(tmp_path / "01-a.ipynb")


def test_each_line_of_code_becomes_a_bar_at_its_indent(tutorial_list):
    picture = tutorial_list.bars("if x:\n    # why\n    y = 1\n")
    step = 200 / 40
    dark = [[picture.getpixel((x, int(row * step + 1))) == (59, 110, 168) for x in (9, 17)] for row in range(4)]
    assert dark == [[True, True], [False, False], [False, True], [False, False]]
