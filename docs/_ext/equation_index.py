"""Sphinx extension: ``equation-index`` shows each registered equation with its code, check and error.

``equation-errors`` says how many there are and which error is the largest.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from explorable import explorable
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import minigpt
from minigpt.checks import CHECKS, largest_error
from minigpt.equations import Equation

PACKAGE = Path(minigpt.__file__).parents[1]


class EquationIndex(SphinxDirective):
    """Writes a section for each equation in MyST and lets the page's own parser read it."""

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the registry."""
        text = "\n".join(section(equation, error) for equation, error in errors().items())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class EquationErrors(SphinxDirective):
    """Says in a sentence how many equations there are and how far the code is from them."""

    def run(self) -> list[nodes.Node]:
        """The sentence."""
        return self.parse_text_to_nodes(
            f"There are {len(errors())} equations, and the largest error of all is {max(errors().values()):.1e}."
        )


@cache
def errors() -> dict[Equation, float]:
    """The largest error of each equation, measured once a build."""
    return {equation: largest_error(equation) for equation in minigpt.equations.all()}


def section(equation: Equation, error: float) -> str:
    """The formula, what its symbols mean, where it comes from, and what holds the code to it."""
    symbols = "; ".join(f"${name}$ {meaning.removeprefix('() ')}" for name, meaning in equation.symbols.items())
    function, check = equation.function, CHECKS[equation.name]
    assert function is not None
    full_name = f"{function.__module__}.{function.__qualname__}"
    largest = f"{error:.1e}" if error else "0"
    return (
        f"## {equation.name}\n\n{equation.display}\n\n{explorable(equation)}"
        f"{symbols}.\n\n"
        f"In code: {{py:obj}}`{full_name.removeprefix('minigpt.')} <{full_name}>`. Source: {equation.source}.\n\n"
        f"Held by the check below; the largest error of ten draws is {largest}.\n\n"
        "<details><summary>The code and its check</summary>\n\n"
        f"{shown(function)}\n{shown(check)}\n"
        "</details>\n"
    )


def shown(function: Callable[..., Any]) -> str:
    """The file of a function or class, and its code."""
    path = Path(inspect.getsourcefile(inspect.unwrap(function)) or "").relative_to(PACKAGE).as_posix()
    return f"`{path}`\n\n```python\n{bare(inspect.getsource(function))}```\n"


def bare(source: str) -> str:
    """Code without what the page says already: the decorator that holds the equation, and the docstrings.

    >>> bare('@f("long")\\ndef g():\\n    "What it is."\\n    return 1\\n')
    'def g():\\n    return 1\\n'
    """
    lines, tree = textwrap.dedent(source).splitlines(keepends=True), ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.ClassDef)
    left_out = set(range(1, tree.lineno))
    for docstring in docstrings(tree):
        left_out.update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return "".join(line for number, line in enumerate(lines, start=1) if number not in left_out).replace(":\n\n", ":\n")


def docstrings(tree: ast.AST) -> Iterator[ast.stmt]:
    """Those of a function or class and of everything in it; one that is all there is stays."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) and len(node.body) > 1:
            yield node.body[0]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("equation-index", EquationIndex)
    app.add_directive("equation-errors", EquationErrors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
