"""Sphinx extension: the directive ``equation-index`` shows every registered equation, its symbols and its function."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import minigpt
from minigpt.equations import Equation


class EquationIndex(SphinxDirective):
    """Writes a section for each equation in MyST and lets the page's own parser read it."""

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the registry."""
        text = "\n".join(map(section, minigpt.equations.all()))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def section(equation: Equation) -> str:
    """The formula, what its symbols mean, and where it comes from."""
    symbols = "; ".join(f"${name}$ {meaning}" for name, meaning in equation.symbols.items())
    function: Any = equation.function
    full_name = f"{function.__module__}.{function.__qualname__}"
    return (
        f"## {equation.name}\n\n{equation._repr_latex_()}\n\n"
        f"{symbols}.\n\n"
        f"In code: {{py:obj}}`{full_name.removeprefix('minigpt.')} <{full_name}>`. Source: {equation.source}.\n"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("equation-index", EquationIndex)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
