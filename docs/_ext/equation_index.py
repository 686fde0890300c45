"""Sphinx extension: ``equation-index`` shows the equations of some modules, each with its code, check and error.

``equation-table`` lists all of them, and ``equation-errors`` says how many there are and which error is the largest.
"""

import ast
import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from explorable import explorable
from fitted_code import fitted
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import minigpt
from minigpt.checks import CHECKS, largest_error
from minigpt.equations import Equation

SENTENCE = {
    "en": "There are {} equations, and the largest error of all is {:.1e}.",
    "zh_CN": "共有 {} 个公式，其中最大的误差是 {:.1e}。",
}
PACKAGE = Path(minigpt.__file__).parents[1]


class EquationIndex(SphinxDirective):
    """Writes a section for each equation of some modules, and lets the page's own parser read it."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the registry; the modules stand in the directive, one a line."""
        text = "\n".join(section(equation, errors()[equation]) for equation in equations_of(self.content))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class EquationTable(SphinxDirective):
    """Writes a table of all equations, in the order in which the page's own sections show them."""

    def run(self) -> list[nodes.Node]:
        """The table."""
        page = Path(self.env.doc2path(self.env.docname)).read_text("utf-8")
        return self.parse_text_to_nodes(table(shown_on(page)))


class EquationErrors(SphinxDirective):
    """Says in a sentence how many equations there are and how far the code is from them."""

    def run(self) -> list[nodes.Node]:
        """The sentence, in the language of the site."""
        sentence = SENTENCE.get(self.config.language, SENTENCE["en"])
        return self.parse_text_to_nodes(sentence.format(len(errors()), max(errors().values())))


@cache
def errors() -> dict[Equation, float]:
    """The largest error of each equation, measured once a build."""
    return {equation: largest_error(equation) for equation in minigpt.equations.all()}


def shown_on(page: str) -> list[Equation]:
    """The equations of a page, section after section.

    Raises:
        ExtensionError: if an equation is in no section of the page, or in two.
    """
    shown = [equation for modules in sections_of(page) for equation in equations_of(modules)]
    times = Counter(equation.name for equation in shown)
    if wrong := [equation.name for equation in errors() if times[equation.name] != 1]:
        raise ExtensionError(f"name the module of {', '.join(wrong)} in one section of the page of equations")
    return shown


def sections_of(page: str) -> list[list[str]]:
    """The modules that each ``equation-index`` of a page names."""
    return [found.split() for found in re.findall(r"^```\{equation-index\}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)]


def equations_of(modules: Iterable[str]) -> list[Equation]:
    """The equations whose functions are in these modules, such as ``model.attention``."""
    wanted = {f"minigpt.{module}" for module in modules}
    return [equation for equation in errors() if module_of(equation) in wanted]


def module_of(equation: Equation) -> str:
    """The module that implements an equation."""
    assert equation.function is not None
    return equation.function.__module__


def table(equations: list[Equation]) -> str:
    """A row for each: the name as a link to its section, the function as a link to the reference, and the formula."""
    rows = [
        f"| [{each.name}](#{each.name}) | {link(each, short=True)} | ${inline(each.latex)}$ |" for each in equations
    ]
    return "\n".join(["| equation | in code | formula |", "| --- | --- | --- |", *rows]) + "\n"


def inline(latex: str) -> str:
    r"""A formula on one line of a table: a bar would end the cell.

    >>> inline("p(a |\n  b)"), inline("|a|")
    ('p(a \\vert b)', '\\vert a\\vert')
    """
    one_line = re.sub(r"\\\|", r"\\Vert ", " ".join(latex.split()))
    return re.sub(r"\|(?=[A-Za-z])", r"\\vert ", one_line).replace("|", r"\vert")


def link(equation: Equation, *, short: bool = False) -> str:
    """The function that implements an equation, linked to the reference; if short, without its module."""
    name = getattr(equation.function, "__qualname__", "")
    full_name = f"{module_of(equation)}.{name}"
    return f"{{py:obj}}`{name if short else full_name.removeprefix('minigpt.')} <{full_name}>`"


def section(equation: Equation, error: float) -> str:
    """The formula, what its symbols mean, where it comes from, and what holds the code to it."""
    symbols = "; ".join(f"${name}$ {meaning.removeprefix('() ')}" for name, meaning in equation.symbols.items())
    function, check = equation.function, CHECKS[equation.name]
    assert function is not None
    largest = f"{error:.1e}" if error else "0"
    return (
        f"### {equation.name}\n\n{equation.display}\n\n{explorable(equation)}"
        f"{symbols}.\n\n"
        f"In code: {link(equation)}. Source: {equation.source}.\n\n"
        f"Held by the check below; the largest error of ten draws is {largest}.\n\n"
        "<details><summary>The code and its check</summary>\n\n"
        f"{shown(function)}\n{shown(check)}\n"
        "</details>\n"
    )


def shown(function: Callable[..., Any]) -> str:
    """The file of a function or class, and its code."""
    path = Path(inspect.getsourcefile(inspect.unwrap(function)) or "").relative_to(PACKAGE).as_posix()
    return f"`{path}`\n\n```python\n{fitted(bare(inspect.getsource(function)))}```\n"


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
    app.add_directive("equation-table", EquationTable)
    app.add_directive("equation-errors", EquationErrors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
