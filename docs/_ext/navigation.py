"""Sphinx extension: the sidebar's list of pages, as Sphinx makes it, in a fraction of the time.

For every page Sphinx copies the tables of contents of all pages, with each of their entries, and then keeps the titles.
Here the entries are left out first, and pages that are in no list, those with source code, share one in each folder.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def share_lists(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give the theme a function that takes the short way wherever only titles are asked for."""
    whole: Callable[..., str] | None = context.get("toctree")
    if whole is None:
        return

    def toctree(**options: Any) -> str:
        if not options.get("titles_only"):
            return whole(**options)
        key = (page if page in app.env.all_docs else page.count("/"), *sorted(options.items()))
        if key not in lists:
            with titles_alone(app.env):
                lists[key] = whole(**options)
        return lists[key]

    lists = lists_of(app)
    context["toctree"] = toctree


@functools.cache
def lists_of(app: Sphinx) -> dict[tuple[Any, ...], str]:
    """The lists of a build that are made already."""
    return {}


@contextmanager
def titles_alone(env: BuildEnvironment) -> Iterator[None]:
    """Within it the tables of contents hold the titles of the pages and what is below them."""
    with patch.object(env, "tocs", short_tables(env)):
        yield


@functools.cache
def short_tables(env: BuildEnvironment) -> dict[str, nodes.bullet_list]:
    """The tables of all pages without the entries that ``titles_only`` takes out."""
    return {page: titles(table) for page, table in env.tocs.items()}


def titles(table: nodes.bullet_list) -> nodes.bullet_list:
    """A copy of a table: its titles, each with the lists of pages in its section."""
    short = table.deepcopy()
    for title in short.children:
        if isinstance(title, nodes.list_item) and len(title) > 1:
            below = list(title.findall(addnodes.toctree))
            title[1:] = [nodes.bullet_list("", *below)] if below else []
    return short


def setup(app: Sphinx) -> dict[str, Any]:
    """Register it before the theme asks for its list."""
    app.connect("html-page-context", share_lists, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
