"""Sphinx extension: references to names as one writes them, ``minigpt.GPTConfig`` or ``load_tokenizer``.

A name is documented in one place, the file that defines it, and is known there by its full name. A docstring may use
the name by which it is imported: it is looked up in the module that says it, in ``minigpt``, and in the rooms.
"""

import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import minigpt


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Link to the entry of what the name means; a constant without an entry stays as it is, without a link."""
    if node.get("refdomain") != "py":
        return None
    for thing in meanings(node["reftarget"], node.get("py:module")):
        full_name = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
        domain = env.domains.python_domain
        link = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full_name, node, content)
        if link is not None or not callable(thing):
            return link or content
    return None


def meanings(name: str, module: str | None) -> Iterator[object]:
    """What the name is, in each place that has it."""
    parts = name.removeprefix("minigpt.").split(".")
    for place in [module, "minigpt", *rooms()]:
        thing: object = sys.modules.get(place or "")
        for part in parts:
            thing = getattr(thing, part, None)
        if thing is not None:
            yield thing


@cache
def rooms() -> list[str]:
    """The sub-packages of minigpt."""
    return [f"minigpt.{module.name}" for module in pkgutil.iter_modules(minigpt.__path__) if module.ispkg]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the look-up."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
