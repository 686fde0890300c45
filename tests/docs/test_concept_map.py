"""The map of concepts: every equation has a row, and every link of every row leads where it says."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import minigpt as mg
from minigpt import equations

pytest.importorskip("babel", reason="the map's Chinese needs Babel: install the docs extra")

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
concept_map = importlib.import_module("concept_map")
places = importlib.import_module("concept_places")
concepts = importlib.import_module("concepts")
sys.path.remove(str(DOCS))

ROWS = list(concept_map.rows())
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)


def test_every_equation_has_a_row_and_every_row_an_equation_of_its_own():
    names = [row.name for row in ROWS if isinstance(row, concepts.Formula)]
    assert sorted(names) == sorted(equation.name for equation in equations.all())


def test_no_two_titles_have_the_same_anchor():
    titles = [concept_map.TITLE, *concepts.SUBJECTS, *(row.title for row in ROWS)]
    anchors = [places.anchor(title) for title in titles]
    assert sorted(set(anchors)) == sorted(anchors)


def test_the_files_are_up_to_date():
    assert concept_map.stale() == []


@EACH
def test_the_lines_of_a_row_are_those_of_its_function_its_check_and_its_test(row):
    for place in concept_map.places(row):
        line = (places.ROOT / place.path).read_text("utf-8").splitlines()[place.line - 1]
        assert re.match(rf"\s*(def|class) {place.name.split('.')[-1]}\b", line)
    assert places.test_of(row).name.startswith("test_")


@EACH
def test_the_section_that_teaches_a_concept_speaks_of_it(row):
    """It uses the function, shows the equation, or has a word of the title or of the equation's name."""
    section = places.section_of(row)
    of_code = places.code_of(row).name.split(".")[-1].lower()
    text = f"{section.title}\n{section.text}".lower()
    words = [word for word in re.findall(r"[\w-]{3,}", row.title.lower()) if word not in ("the", "and", "training")]
    names = [row.name, *row.name.split("-")] if isinstance(row, concepts.Formula) else []
    assert any(word in text for word in [of_code, *names, *words] if word)


@EACH
@pytest.mark.parametrize("on_site", [False, True])
def test_every_link_leads_to_a_file(row, on_site):
    (*_, links) = concept_map.entry(row, str, "en", on_site)
    kinds = ["code", "check", "test", "page"] if isinstance(row, concepts.Formula) else ["code", "test", "page"]
    assert re.findall(r"^- (\w+):", links, re.MULTILINE) == kinds
    targets = re.findall(r"\]\(([^)#]+)|<(\.\./[^>]+)>", links)
    assert len(targets) >= (2 if on_site else len(kinds))
    for target in (DOCS / "reference" / (link or file) for link, file in targets):
        copied = places.ROOT / "notebooks" / target.name  # the build puts notebooks among the pages
        assert target.is_file() or (on_site and target.suffix == ".ipynb" and copied.is_file())


def test_a_formula_is_shown_as_it_is_evaluated():
    text = concept_map.markdown()
    for equation in equations.all():
        assert equation.latex.replace("operatorname", "mathrm") in text


# What goes stale


@pytest.fixture
def small_map(monkeypatch, tmp_path):
    """A map of one row in a folder of its own."""
    row = next(row for row in ROWS if row.title == "Causal mask and sliding window")
    monkeypatch.setattr(concept_map, "SUBJECTS", {"Attention": [row]})
    monkeypatch.setattr(concept_map, "PAGES", {"en": (page := places.ROOT / "docs" / "reference" / "map.md")})
    monkeypatch.setattr(type(page), "is_file", lambda self: True)
    texts = {page: concept_map.markdown()}
    read = type(page).read_text
    monkeypatch.setattr(type(page), "read_text", lambda self, *args: texts.get(self) or read(self, *args))
    return texts, page


def test_a_line_that_is_still_inside_its_function_is_good_enough_and_one_outside_is_not(small_map):
    texts, page = small_map
    line = places.code_of(next(concept_map.rows())).line
    assert concept_map.stale() == []
    texts[page] = texts[page].replace(f"attention.py#L{line}", f"attention.py#L{line + 1}")
    assert concept_map.stale() == []
    texts[page] = texts[page].replace(f"attention.py#L{line + 1}", "attention.py#L1")
    (told,) = concept_map.stale()
    assert told == "docs/reference/map.md: minigpt/model/attention.py#L1 is not in causal_mask: run `make map`"


def test_another_formula_and_another_title_make_the_map_stale(small_map):
    texts, page = small_map
    for old, new in (("\\le t", "< t"), ("sliding window", "window")):
        texts[page] = concept_map.markdown().replace(old, new)
        assert concept_map.stale() == ["docs/reference/map.md is out of date: run `make map`"]


@pytest.mark.parametrize(
    ("changes", "find", "message"),
    [
        ({"page": "05 § Unheard of"}, "section_of", "there is no section '05 § Unheard of'"),
        ({"page": "howto/unheard-of § Title"}, "section_of", "there is no section"),
        ({"test": "tests/model/test_attention.py::test_unheard_of"}, "test_of", "does not define 'test_unheard_of'"),
        ({"test": "tests/unheard_of.py::test_it"}, "test_of", "tests/unheard_of.py does not define"),
    ],
)
def test_a_link_to_what_is_not_there_is_one_clear_error(changes, find, message):
    row = next(row for row in ROWS if row.title == "Causal attention")._replace(**changes)
    with pytest.raises(ValueError, match=message):
        getattr(places, find)(row)


def test_where_no_test_of_the_mirrored_file_uses_the_function_one_must_be_named():
    row = next(row for row in ROWS if row.title == "Lion")._replace(test="")
    with pytest.raises(ValueError, match=r"no test in tests/training/optim/test_lion\.py uses Lion: name one"):
        places.test_of(row)


def test_titles_inside_code_are_no_sections(tmp_path):
    (tmp_path / "page.md").write_text("# Page\n\n```python\n# no title\n```\n\n## One\n\ntext\n\n## Two\n", "utf-8")
    assert list(places.sections(tmp_path / "page.md")) == ["Page", "One", "Two"]


def test_most_of_what_the_library_offers_by_name_has_a_row():
    """What is left is settings, reports and small change around what has a row."""
    mapped = {places.code_of(row).name for row in ROWS}
    functions = {name for name in mg.__all__ if callable(getattr(mg, name))}
    assert len(functions & mapped) > 0.5 * len(functions), sorted(functions - mapped)
