"""Sphinx extension: the directive ``notebook-output`` shows lines that a notebook printed in its last run.

The page that shows them has no copy of its own: after the notebook is run again, it shows the new ones.
"""

import json
import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class NotebookOutput(SphinxDirective):
    """The argument is the notebook's name, ``:lines:`` a pattern that the start of a line has to match."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"lines": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """The lines, as a block of output."""
        path = Path(self.env.srcdir) / "tutorials" / f"{self.arguments[0]}.ipynb"
        self.env.note_dependency(str(path))
        try:
            text = "\n\n".join(printed(json.loads(path.read_text("utf-8")), self.options["lines"]))
        except ValueError as error:
            raise self.error(f"{path.name}: {error}") from None
        return [nodes.literal_block(text, text, language="output")]


def printed(notebook: dict[str, Any], pattern: str) -> list[str]:
    """The lines of all outputs that begin as the pattern says.

    Raises:
        ValueError: if there is none.
    """
    texts = ["".join(o.get("text", "")) for cell in notebook["cells"] for o in cell.get("outputs", [])]
    found = [line for text in texts for line in text.splitlines() if re.match(pattern, line)]
    if not found:
        raise ValueError(f"no line that it printed begins as {pattern!r} says")
    return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("notebook-output", NotebookOutput)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
