"""docs/_ext/downloads.py and notebook_output.py: what the site takes from notebooks beside their text."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("myst_nb", reason="the site needs Sphinx: install the docs extra")

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# A title\n\nText."}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(scope="module", params=["en", "zh_CN"])
def site(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    (root / "docs").mkdir()
    (root / "notebooks").mkdir()
    for folder in ("docs", "notebooks"):
        (root / folder / "01-a.ipynb").write_text(json.dumps(NOTEBOOK), "utf-8")
    (root / "notebooks" / "01-a.py").write_text("# %%\n1\n", "utf-8")
    (root / "docs" / "index.md").write_text("# Home\n\n```{toctree}\n01-a\n```\n", "utf-8")
    (root / "docs" / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(DOCS / '_ext')!r})\nextensions = ['myst_nb', 'downloads']\n"
        f"nb_execution_mode = 'off'\nhtml_theme = 'basic'\nlanguage = {request.param!r}\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "-q", "-b", "html", root / "docs", root / "html"]
    built = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert built.returncode == 0, built.stderr
    return request.param, root


def test_the_page_of_a_notebook_links_below_its_title_to_the_notebook_and_its_source(site):
    language, root = site
    html = (root / "html" / "01-a.html").read_text("utf-8")
    below = html.partition("</h1>")[2].lstrip()
    assert below.startswith(f'<p class="downloads">{"下载：" if language == "zh_CN" else "Download:"}')
    files = re.findall(r'<a class="[^"]*download[^"]*" download="" href="([^"]+)"', html)
    assert [Path(file).name for file in files] == ["01-a.ipynb", "01-a.py"]
    for file in files:
        assert (root / "html" / file).read_bytes() == (root / "notebooks" / Path(file).name).read_bytes()


def test_a_page_that_is_no_notebook_has_nothing_to_download(site):
    assert "downloads" not in (site[1] / "html" / "index.html").read_text("utf-8")


@pytest.fixture
def notebook_output(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module("notebook_output")


def test_what_a_notebook_printed_is_shown_by_the_beginning_of_its_lines(notebook_output):
    cells = [
        {"outputs": [{"text": ["step 1: a\n", "step 2: b\n"]}, {"data": {}}]},
        {},
        {"outputs": [{"text": "step 10: c"}]},
    ]
    assert notebook_output.printed({"cells": cells}, r"step \d0?:") == ["step 1: a", "step 2: b", "step 10: c"]
    assert notebook_output.printed({"cells": cells}, "step 2") == ["step 2: b"]
    with pytest.raises(ValueError, match="no line that it printed begins as 'step 3' says"):
        notebook_output.printed({"cells": cells}, "step 3")


def test_the_front_page_shows_three_lines_of_a_training_run():
    page = (DOCS / "index.md").read_text(encoding="utf-8")
    name, pattern = re.search(r"^```\{notebook-output\} (\S+)\n:lines: (.+)\n```$", page, re.MULTILINE).groups()
    module = importlib.util.spec_from_file_location("notebook_output", DOCS / "_ext" / "notebook_output.py")
    extension = importlib.util.module_from_spec(module)
    module.loader.exec_module(extension)
    notebook = json.loads((DOCS.parent / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert len(extension.printed(notebook, pattern)) == 3


def test_the_front_page_says_how_to_install_and_where_to_start_before_its_first_section():
    opening = (DOCS / "index.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert re.search(r"^\$ python -m pip install ", opening, re.MULTILINE) and "$ minigpt demo" in opening
    (start,) = re.findall(r"^\*\*Start here:\*\* \[.+\]\((.+)\)\.$", opening, re.MULTILINE)
    assert (DOCS.parent / "notebooks" / Path(start).name).is_file()
