"""docs/_ext/navigation.py: the list of pages in the sidebar is the one that Sphinx makes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("furo", reason="the site needs Furo: install the docs extra")

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "index": "# Start\n\n## Here\n\ntext\n\n### Deep\n\n```{toctree}\n:hidden:\n\na/index\nother name <b>\n```\n",
    "a/index": "# A room\n\n## Section *one*\n\n```{toctree}\n\nfirst\nsecond\n```\n\n## Section two\n\n"
    "```{toctree}\n:hidden:\n\nthird\n```\n",
    "a/first": "# First\n\n## Its section\n\n### Its part\n",
    "a/second": "# Second\n\n```{toctree}\n\nbelow/most\n```\n",
    "a/third": "# Third\n\n# A second title\n\n## Its section\n",
    "a/below/most": "# The lowest\n",
    "b": "---\norphan: true\n---\n# B\n\n## Nothing below\n",
}


def built(folder, *extensions):
    """The pages of a small site; those with source code are in folders of their own."""
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(text, "utf-8")
    (folder / "reference.rst").write_text(":orphan:\n\nR\n=\n\n.. automodule:: pack.code\n   :members:\n", "utf-8")
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "code.py").write_text('"""A module."""\n\n\ndef act():\n    """Do it."""\n', "utf-8")
    (folder / "conf.py").write_text(
        f"import sys\nsys.path[:0] = [{str(DOCS / '_ext')!r}, {str(folder)!r}]\nhtml_theme = 'furo'\n"
        f"extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.viewcode', *{extensions}]\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", folder, folder / "html"]
    subprocess.run(command, check=True, capture_output=True)
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in sorted(folder.rglob("*.html"))}


def test_every_page_is_the_one_that_sphinx_makes_alone(tmp_path):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    pages = built(tmp_path / "with", "navigation")
    assert {"html/_modules/pack/code.html", "html/a/below/most.html", "html/search.html"} < set(pages)
    assert pages == built(tmp_path / "without")
    assert 'class="current' in pages["html/a/below/most.html"]
