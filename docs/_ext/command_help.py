"""Sphinx extension: the directive ``command-help`` shows what ``minigpt COMMAND --help`` prints, a section each."""

import io
import os
import textwrap
from contextlib import redirect_stdout, suppress
from typing import Any
from unittest.mock import patch

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from minigpt.cli import COMMANDS, main

COLUMNS = 84  # what fits beside the margin of a page


class CommandHelp(SphinxDirective):
    """Writes the sections in MyST and lets the page's own parser read them."""

    def run(self) -> list[nodes.Node]:
        """A section for each command; read anew in every build, since the page's own file does not tell of a change."""
        self.env.note_reread()
        sections = [f"## minigpt {name}\n\n```text\n{help_of(name)}\n```\n" for name in COMMANDS]
        return self.parse_text_to_nodes("\n".join(sections), allow_section_headings=True)


def help_of(name: str) -> str:
    """The help of one command, without colours."""
    printed = io.StringIO()
    width = {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
    with patch.dict(os.environ, width), redirect_stdout(printed), suppress(SystemExit):
        main([name, "--help"])
    return "\n".join(map(wrapped, printed.getvalue().strip().splitlines()))


def wrapped(line: str) -> str:
    """A paragraph in lines that fit; what is indented is in lines already."""
    return line if line.startswith(" ") else textwrap.fill(line, COLUMNS)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
