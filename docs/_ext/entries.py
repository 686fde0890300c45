"""Sphinx extension: the entry of a class, function or constant says how to import it, and links to its source.

Sphinx's ``viewcode`` makes the pages of source code and links classes and functions to them. It does not look for
constants, so this extension tells it where they are.
"""

import ast
import sys
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc_signature
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.pycode import ModuleAnalyzer

KINDS = ("class", "function", "data", "exception")


def show_import(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """Put the import at the top of an entry; methods and attributes are reached through their class."""
    signature = content.parent.next_node(desc_signature)
    if domain == "py" and kind in KINDS and signature is not None and "." not in signature["fullname"]:
        line = import_of(signature["module"], signature["fullname"])
        content.insert(0, nodes.paragraph("", "", nodes.literal(line, line), classes=["import-path"]))


def import_of(module: str, name: str) -> str:
    """The shortest import that the package offers: from the outermost room that lists the name, or from its file.

    >>> import_of("minigpt.model.gpt", "GPT"), import_of("minigpt.files.atomic", "write_atomically")
    ('from minigpt import GPT', 'from minigpt.files.atomic import write_atomically')
    """
    parts = module.split(".")
    for length in range(1, len(parts)):
        room = sys.modules[".".join(parts[:length])]
        if name in getattr(room, "__all__", ()) and getattr(room, name) is getattr(sys.modules[module], name):
            return f"from {room.__name__} import {name}"
    return f"from {module} import {name}"


def find_source(app: Sphinx, module: str) -> tuple[str, dict[str, tuple[str, int, int]]]:
    """The code of a module, and the lines of its classes, functions and constants."""
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.find_tags()
    return analyzer.code, {**constants(analyzer.code), **analyzer.tags}


def constants(code: str) -> dict[str, tuple[str, int, int]]:
    r"""The first and the last line of each assignment to a name, outside of classes and functions.

    >>> constants("A = 1\nB: dict[str, int] = {\n}\n")
    {'A': ('other', 1, 1), 'B': ('other', 2, 3)}
    """
    found = {}
    for node in ast.parse(code).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = ("other", node.lineno, node.end_lineno or node.lineno)
    return found


def stay_in_module(app: Sphinx, config: Config) -> None:
    """An entry is in the file that defines the thing; a constant does not know its file, and would be left out."""
    config.viewcode_follow_imported_members = False  # type: ignore[attr-defined]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both."""
    app.setup_extension("sphinx.ext.viewcode")
    app.connect("config-inited", stay_in_module)
    app.connect("object-description-transform", show_import)
    app.connect("viewcode-find-source", find_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
