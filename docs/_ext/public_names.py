"""Sphinx extension: the directive ``public-names`` lists what ``import minigpt as mg`` offers.

Each name of ``minigpt.__all__`` stands under its room with the opening of its docstring, or with the comment above it,
linked to its entry.
"""

import inspect
import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import minigpt


class PublicNames(SphinxDirective):
    """Writes a definition list in MyST for each room and lets the page's own parser read it."""

    def run(self) -> list[nodes.Node]:
        """The lists, in the order in which data flows through the rooms."""
        text = []
        for room, names in groupby(sorted(minigpt.__all__, key=place), room_of):
            text += [f"**{room}**", "", *map(entry, names)]
        return self.parse_text_to_nodes("\n".join(text))


ROOMS = ["text", "model", "pretrained", "training", "generation", "evaluation", "runs", "microscope", "learn"]


def room_of(name: str) -> str:
    """The sub-package that a public name comes from; what stands beside the sub-packages is ``minigpt``."""
    parts = module_of(name).split(".")
    return parts[1] if len(parts) > 2 else "minigpt"


def module_of(name: str) -> str:
    """The module that defines a public name."""
    return getattr(getattr(minigpt, name), "__module__", None) or constants().get(name, ("minigpt", ""))[0]


@cache
def constants() -> dict[str, tuple[str, str]]:
    """The constants of the package by name: the module of each, and the comment above it."""
    root = Path(minigpt.__file__).parent
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        for comment, name in CONSTANT.findall(path.read_text("utf-8")):
            module = ".".join(part for part in parts if part != "__init__")
            found[name] = (module, " ".join(comment.replace("#:", "").split()))
    return found


CONSTANT = re.compile(r"((?:^#: .*\n)+)(\w+)(?=: | = )", re.MULTILINE)


def place(name: str) -> tuple[int, str]:
    """The order of the list."""
    room = room_of(name)
    return (ROOMS.index(room) if room in ROOMS else len(ROOMS), name.lower())


def entry(name: str) -> str:
    """One name and what it does."""
    thing = getattr(minigpt, name)
    return f"{link(name, thing)}\n: {constants()[name][1] if name in constants() else opening(thing)}\n"


def link(name: str, thing: object) -> str:
    """A reference to the entry of a class, a function or a constant; a plain literal for a room."""
    if inspect.ismodule(thing) or name.startswith("__"):
        return f"`mg.{name}`"
    return f"{{py:obj}}`mg.{name} <{module_of(name)}.{name}>`"


def opening(thing: object) -> str:
    """The first paragraph of a docstring, on one line, its reStructuredText roles turned into literals."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", " ".join(paragraph.split()))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
