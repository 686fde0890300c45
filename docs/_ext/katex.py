"""Sphinx extension: equations become HTML, by KaTeX, while the site is built; a page needs no script and no network.

One ``node`` process (``katex_server.mjs``) renders every formula of a build. LaTeX that KaTeX refuses stops the build
and is named with its file and line. KaTeX's style sheet and fonts are copied into the site.
"""

import json
import re
import shutil
import subprocess
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, NoReturn

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

SERVER = Path(__file__).with_name("katex_server.mjs")
DIST = SERVER.parent.parent / "node_modules" / "katex" / "dist"
MATH_CLASSES = "math notranslate nohighlight"


class MathError(SphinxError):
    """An equation that cannot be rendered, or a machine that cannot render any."""

    category = "Math error"


class Katex:
    """The ``node`` process, started by the first formula."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def render(self, latex: str, *, display: bool) -> str:
        """HTML and MathML of one formula.

        Raises:
            MathError: if KaTeX refuses the LaTeX, or can't be run.
        """
        answer = self._ask({"latex": latex, "display": display})
        if "error" in answer:
            raise MathError(answer["error"])
        return answer["html"]

    def close(self) -> None:
        """End the process, if one was started."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _ask(self, request: dict[str, Any]) -> dict[str, str]:
        process = self._process = self._process or start_server()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise MathError(f"node ended while rendering {request['latex']!r}; its message is above")
        return json.loads(line)


def start_server() -> subprocess.Popen[str]:
    """Run ``katex_server.mjs``.

    Raises:
        MathError: if node or KaTeX is not installed.
    """
    node = shutil.which("node")
    if node is None:
        raise MathError("node was not found; the equations need Node.js 18 or newer (https://nodejs.org)")
    if not DIST.is_dir():
        raise MathError(f"KaTeX is not installed; run `npm ci` in {DIST.parents[2]}")
    return subprocess.Popen([node, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")


@cache
def katex() -> Katex:
    """The renderer of this process."""
    return Katex()


def visit_math(self: HTML5Translator, node: nodes.math) -> NoReturn:
    """Write an inline formula."""
    self.body.append(self.starttag(node, "span", "", CLASS=MATH_CLASSES) + rendered(node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> NoReturn:
    """Write a display formula, with its number where it has one."""
    # A long formula scrolls sideways on a narrow screen, so the keyboard must be able to reach it.
    self.body.append(self.starttag(node, "div", CLASS=MATH_CLASSES, tabindex="0"))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({escape(str(get_node_equation_number(self, node)))})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(rendered(node, display=True) + "</div>\n")
    raise nodes.SkipNode


def rendered(node: nodes.math | nodes.math_block, *, display: bool) -> str:
    """The HTML of a node; an error carries the node's file and line."""
    latex = display_form(node.astext()) if display else node.astext()
    try:
        return katex().render(latex, display=display)
    except MathError as error:
        raise MathError(f"{location(node)}: {error}") from error


def display_form(latex: str) -> str:
    r"""What KaTeX takes for a display: several lines outside an environment are aligned, and ours is the only number.

    >>> display_form(r"a &= b \\ c &= d")
    '\\begin{aligned}a &= b \\\\ c &= d\\end{aligned}'
    """
    if r"\\" in latex and r"\begin" not in latex:
        return rf"\begin{{aligned}}{latex}\end{{aligned}}"
    # An empty row that is nearly taken back: the limits of a sum would touch the fraction in the row above.
    latex = re.sub(r"\\\\ (?=\\text\{)", r"\\\\ \\\\[-1.2em] ", latex)
    return re.sub(r"\\(begin|end)\{(equation|align|alignat|gather)\}", r"\\\1{\2*}", latex)


def location(node: nodes.Node) -> str:
    """``file:line`` of the nearest ancestor that knows its line."""
    while node.line is None and node.parent is not None:
        node = node.parent
    return f"{node.source or node.document['source']}:{node.line or 1}"


def copy_assets(app: Sphinx) -> None:
    """Put the style sheet and the fonts into the site."""
    if app.builder.format == "html" and DIST.is_dir():
        target = app.outdir / "_static" / "katex"
        shutil.copytree(DIST / "fonts", target / "fonts", dirs_exist_ok=True)
        shutil.copy(DIST / "katex.min.css", target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name ``katex``."""
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_css_file("katex/katex.min.css")
    app.connect("builder-inited", copy_assets)
    app.connect("build-finished", lambda *_: katex().close())
    return {"parallel_read_safe": True, "parallel_write_safe": False}
