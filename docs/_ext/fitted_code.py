"""Sphinx extension: code of the library in lines that fit a page; its own lines may be longer.

ruff lays the code out anew. What it leaves long, comments and texts, is cut at a space; the code means the same.
"""

import io
import re
import subprocess
import sys
import textwrap
from tokenize import COMMENT as COMMENT_TOKEN
from tokenize import generate_tokens
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

LONGEST = 88  # columns of a line of code on the site
COMMENT = re.compile(r"( *)# (.*)")
LITERAL = re.compile(r"""( *)(f?)"([^"\\]*)"(,?)""")


def fitted(source: str) -> str:
    """The same code with no line longer than the page."""
    if fits(source):
        return source
    source = lifted(source)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(LONGEST), "-"]
    source = subprocess.run(command, input=source, capture_output=True, encoding="utf-8", check=True).stdout
    return "".join(f"{cut(line)}\n" for line in source.splitlines())


def lifted(source: str) -> str:
    """The same code with the comment at the end of a long line above it."""
    lines = source.splitlines()
    comments = {token.start for token in generate_tokens(io.StringIO(source).readline) if token.type == COMMENT_TOKEN}
    for number, column in sorted(comments, reverse=True):
        line = lines[number - 1]
        code = line[:column].rstrip()
        if len(line) > LONGEST and code:
            indent = code[: len(code) - len(code.lstrip())]
            lines[number - 1 : number] = [indent + line[column:], code]
    return "".join(f"{line}\n" for line in lines)


def fits(source: str) -> bool:
    """Whether every line fits."""
    return all(len(line) <= LONGEST for line in source.splitlines())


def cut(line: str) -> str:
    """A line, or the lines that a long comment or a long text on its own is cut into."""
    if len(line) <= LONGEST:
        return line
    if match := COMMENT.fullmatch(line):
        return textwrap.fill(match[2], LONGEST, initial_indent=f"{match[1]}# ", subsequent_indent=f"{match[1]}# ")
    if match := LITERAL.fullmatch(line):
        indent, mark, text, comma = match.groups()
        room = LONGEST - len(indent) - len(mark) - 3
        end = max(space.end() for space in re.finditer(r" (?![^{}]*\})", text) if space.end() <= room)
        return f'{indent}{mark}"{text[:end]}"\n' + cut(f'{indent}{mark}"{text[end:]}"{comma}')
    return line


class FitIncluded(SphinxTransform):
    """Lays out the excerpts of Python files that pages include."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Replace the text of each that is too wide."""
        for block in self.document.findall(nodes.literal_block):
            code = block.astext()
            if str(block.get("source", "")).endswith(".py") and not fits(code):
                block.children = []
                block.rawsource = fitted(code).rstrip("\n")
                block += nodes.Text(block.rawsource)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_transform(FitIncluded)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
