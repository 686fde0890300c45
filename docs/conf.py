"""How the documentation site is built; `make docs` runs it with warnings as errors."""

import gc
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS)]

from minigpt.version import __version__  # noqa: E402

# The nodes of all pages stay in memory: looking for garbage among them as often as Python does takes half of a build.
gc.set_threshold(50_000, 20, 50)

project = "minigpt"
author = "the minigpt authors"
copyright = author
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "accessible",
    "chinese_search",
    "command_help",
    "docstrings",
    "downloads",
    "entries",
    "equation_index",
    "fast_twins",
    "fitted_code",
    "katex",
    "map_page",
    "navigation",
    "notebook_output",
    "plain_types",
    "public_names",
    "room_index",
    "short_names",
    "speedrun_table",
    "translatable",
    "tutorial_list",
]
exclude_patterns = ["_build", "node_modules", "README.md", "reference/map.zh-CN.md"]

# Text: MyST Markdown and notebooks, which carry the outputs of their last run.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
nb_execution_mode = "off"
# A translator is asked for the pictures' alternative texts too.
nb_mime_priority_overrides = [("gettext", "image/png", 1)]
html_math_renderer = "katex"

# Reference: from the docstrings.
nitpicky = True
# What others document: a look-up there would need the network.
nitpick_ignore_regex = [
    ("py:class", r"(torch|numpy|pathlib|os|types|datetime|contextlib|collections|ast|tiktoken|_regex)\..*"),
    ("py:class", "Axes|Figure|Rectangle|Tiles"),  # matplotlib's and the kernels', imported for type checkers only
    ("py:class", r"minigpt\.checks\.draw\.[TM]"),  # type variables
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Languages: English, or with -D language=zh_CN Chinese, from a catalogue for each page; see translations.py.
locale_dirs = ["locale"]
smartquotes_excludes = {"builders": ["man", "text"]}  # by default Chinese too, where docstrings stay English
gettext_compact = False

# Looks.
html_theme = "furo"
html_title = "minigpt"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["minigpt.css"]
html_js_files = [("search_formulas.js", {"defer": "defer"})]
html_search_scorer = str(DOCS / "_ext" / "search_scorer.js")  # tutorials first
html_copy_source = False
html_use_index = html_domain_indices = False  # lists of names that no page leads to; the search finds names
# In place of Furo's "view" button, a link to the same page in the other language.
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": ["view"]}
html_show_sphinx = False
html_show_copyright = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True


def copy_notebooks() -> None:
    """Put the notebooks among the pages, and turn their links to pages: Sphinx reads only what lies under docs/."""
    folder = DOCS / "tutorials"
    for page in folder.glob("*.ipynb"):
        page.unlink(missing_ok=True)
    for notebook in (DOCS.parent / "notebooks").glob("[0-9][0-9]-*.ipynb"):
        page = folder / notebook.name
        page.write_text(notebook.read_text("utf-8").replace("](../docs/", "](../"), "utf-8", newline="\n")
        shutil.copystat(notebook, page)  # with its time stamp, so that an unchanged page is not built again


copy_notebooks()
