"""docs/_ext/entries.py and room_index.py: an entry's import and source, and the index of a page that was split."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")
ModuleAnalyzer = importlib.import_module("sphinx.pycode").ModuleAnalyzer

DOCS = Path(__file__).parents[2] / "docs"
API = DOCS / "reference" / "api"
MOST = 12  # entries of a page; more only where they are one module or one sub-room
SHOWN = re.compile(r"automodule:: ([\w.]+)\n   :members:(.*)")


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module("entries")


def entries_of(page):
    """The names that a page of the reference has entries for."""
    for name, listed in SHOWN.findall(page):
        module, constants = importlib.import_module(name), ModuleAnalyzer.for_module(name).find_attr_docs()
        own = [each for each, thing in vars(module).items() if getattr(thing, "__module__", "") == name]
        code = [each for each in own if inspect.isclass(vars(module)[each]) or inspect.isroutine(vars(module)[each])]
        found = {each for each in code if each[0] != "_" and vars(module)[each].__doc__}
        found |= {constant for owner, constant in constants if not owner}
        yield from found & set(re.split(r"[,\s]+", listed)) if listed.strip() else found


@pytest.mark.parametrize("path", sorted(API.rglob("*.md")), ids=lambda path: str(path.relative_to(API)))
def test_a_page_of_the_reference_is_not_long(path):
    page = path.read_text(encoding="utf-8")
    (first, *others) = [name for name, _ in SHOWN.findall(page)] or [""]
    room = first.rpartition(".")[0]
    in_room = room.count(".") and all(name.startswith(f"{room}.") for name in others) and f":: {room}\n" in page
    assert not others or in_room or len(list(entries_of(page))) <= MOST, (
        "move some of its modules to a page of their own"
    )


@pytest.mark.parametrize(
    ("module", "name", "line"),
    [
        ("minigpt.model.gpt", "GPT", "from minigpt import GPT"),
        ("minigpt.training.optim.groups", "decay_groups", "from minigpt.training import decay_groups"),
        ("minigpt.model.config", "PRESETS", "from minigpt import PRESETS"),
        ("minigpt.files.atomic", "write_atomically", "from minigpt.files.atomic import write_atomically"),
    ],
)
def test_the_import_is_the_shortest_that_gives_the_same_thing(entries, module, name, line):
    assert entries.import_of(module, name) == line
    given: dict[str, object] = {}
    exec(line, given)
    assert given[name] is getattr(importlib.import_module(module), name)


def test_a_constant_has_a_first_and_a_last_line(entries):
    code = "A = 1\nB: dict[str, int] = {\n}\nC.d = 2\ndef f():\n    E = 3\n"
    assert entries.constants(code) == {"A": ("other", 1, 1), "B": ("other", 2, 3)}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A room with a page below it that describes a class with a method, a function and a constant."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "small.py").write_text(
        '"""A module."""\n\n#: The largest.\nMOST = [\n    3,\n]\n\n\n'
        'class Thing:\n    """A thing."""\n\n    def act(self):\n        """Do it."""\n\n\n'
        'def make():\n    """Make it."""\n',
        "utf-8",
    )
    (folder / "below.md").write_text(
        "# Below\n\n## A section\n\n```{eval-rst}\n.. automodule:: small\n   :members:\n```\n", "utf-8"
    )
    (folder / "index.md").write_text(
        "# A room\n\n```{room-index}\n```\n\n```{toctree}\n:hidden:\n\nbelow\n```\n", "utf-8"
    )
    (folder / "conf.py").write_text(
        f"import sys\nsys.path[:0] = [{str(DOCS / '_ext')!r}, {str(folder)!r}]\n"
        "extensions = ['myst_parser', 'sphinx.ext.autodoc', 'entries', 'room_index']\nhtml_theme = 'basic'\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "-q", "-b", "html", folder, folder / "html"]
    built = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_an_entry_shows_its_import_and_links_to_its_lines(site):
    html = (site / "below.html").read_text("utf-8")
    for name in ("MOST", "Thing", "make"):
        entry = html.partition(f'id="small.{name}"')[2].partition("</dl>")[0]
        assert re.sub("<[^>]+>", "", entry).count(f"from small import {name}") == 1
        assert f'href="_modules/small.html#{name}"' in entry
    assert html.count("import-path") == 3  # and none for the method
    assert 'href="_modules/small.html#Thing.act"' in html
    source = (site / "_modules" / "small.html").read_text("utf-8")
    assert all(f'id="{name}"' in source for name in ("MOST", "Thing", "Thing.act", "make"))


def test_the_index_of_a_room_has_the_old_anchors_and_links_to_the_new_ones(site):
    html = (site / "index.html").read_text("utf-8")
    for name in ("MOST", "Thing", "make"):
        assert re.search(rf'<a [^>]*href="below.html#small.{name}"[^>]*>', html)
    for anchor in ("small.MOST", "small.Thing", "small.Thing.act", "small.make", "a-section"):
        assert html.count(f'id="{anchor}"') == 1, anchor
