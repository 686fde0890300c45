"""Sphinx extension: ``fast-twins`` shows which fast function stands for which formula, within what error."""

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import minigpt
from minigpt.equations import FastTwin
from minigpt.equations.twins import short_name

GRADIENTS = {"autograd": "PyTorch's", "by hand": "written by hand", "none": "none"}


class FastTwins(SphinxDirective):
    """Writes the table in MyST and lets the page's own parser read it."""

    def run(self) -> list[nodes.Node]:
        """The table, ordered by the names of the formulas."""
        return self.parse_text_to_nodes(table())


def table() -> str:
    """The twins, one a row."""
    twins = sorted(minigpt.equations.twins.all(), key=lambda twin: short_name(twin.formula))
    head = "| formula | fast twin | when it runs | error | gradient | why it is faster |\n| --- " + "| --- " * 5 + "|\n"
    return head + "".join(f"| {' | '.join(cells(twin))} |\n" for twin in twins)


def cells(twin: FastTwin) -> list[str]:
    """A row of the table."""
    error = f"{power(twin.error)}; exact: {twin.exact}" if twin.exact else power(twin.error)
    return [link(twin.formula), link(twin.function), twin.when, error, GRADIENTS[twin.gradient], twin.faster]


def link(function: Callable[..., Any]) -> str:
    """The name of a function with its module, or with its class, as a link to the reference."""
    name = f"{function.__module__}.{function.__qualname__}"
    return f"{{py:obj}}`{'.'.join(name.split('.')[-2:])} <{name}>`"


def power(error: float) -> str:
    r"""An error as a formula.

    >>> power(2e-6), power(1e-5), power(0)
    ('$2 \\cdot 10^{-6}$', '$10^{-5}$', '0')
    """
    digits, exponent = f"{error:.0e}".split("e")
    tens = f"10^{{{int(exponent)}}}"
    return ("$" + (tens if digits == "1" else rf"{digits} \cdot {tens}") + "$") if error else "0"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("fast-twins", FastTwins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
