"""Where the concepts of ``concepts.py`` are: the lines of code, check and test, and the section that teaches each."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from concepts import Formula, Row, Rule

from minigpt import equations
from minigpt.checks import CHECKS

DOCS = Path(__file__).parent
ROOT = DOCS.parent


@dataclass(frozen=True)
class Place:
    """A function, class or method in a file; lines count from 1.

    Attributes:
        path: from the root of the repository.
        name: with its class, such as ``Evaluation.perplexity``; empty for the whole file.
        line: where it is defined.
        first: where its decorators begin.
        last: where it ends.
    """

    path: str
    name: str
    line: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.path}#L{self.line}" if self.name else self.path


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        path: of the file, from the root of the repository.
        page: its name in the catalogues, such as ``tutorials/01-language-models``.
        page_title: the title of the page.
        title: of the section.
        text: of the section, with its subsections.
    """

    path: str
    page: str
    page_title: str
    title: str
    text: str


@cache
def definitions(path: str) -> dict[str, ast.stmt]:
    """The functions and classes of a file by name; methods with their class."""

    def walk(body: list[ast.stmt], before: str) -> Iterator[tuple[str, ast.stmt]]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield before + node.name, node
                if isinstance(node, ast.ClassDef):
                    yield from walk(node.body, f"{before}{node.name}.")

    return dict(walk(ast.parse((ROOT / path).read_text("utf-8")).body, ""))


def find(path: str, name: str) -> Place:
    """Where a name is defined.

    Raises:
        ValueError: if the file does not define it.
    """
    if not name and (ROOT / path).is_file():
        return Place(path, "", 1, 1, 1)
    if not (ROOT / path).is_file() or name not in definitions(path):
        raise ValueError(f"{path} does not define {name!r}: correct its row in docs/concepts.py")
    node = definitions(path)[name]
    first = min(part.lineno for part in [node, *node.decorator_list])  # type: ignore[attr-defined]
    return Place(path, name, node.lineno, first, node.end_lineno or node.lineno)


def code_of(row: Row) -> Place:
    """The function or class that implements a concept."""
    if isinstance(row, Rule):
        return find(*row.code.split("::"))
    function = equations.get(row.name).function
    assert function is not None
    return find(inspect.unwrap(function).__module__.replace(".", "/") + ".py", function.__qualname__)


def check_of(row: Formula) -> Place:
    """The check of an equation."""
    check = CHECKS[row.name]
    return find(check.__module__.replace(".", "/") + ".py", check.__qualname__)


def test_of(row: Row) -> Place:
    """The test of a concept: the one that its row names, or the first in the mirrored file that uses the code.

    Raises:
        ValueError: if there is none.
    """
    if row.test:
        return find(*row.test.split("::"))
    code = code_of(row)
    path = re.sub(r"^minigpt/(.*/)?(\w+\.py)$", r"tests/\1test_\2", code.path)
    wanted = code.name.split(".")[-1]
    if (ROOT / path).is_file():
        for name, node in definitions(path).items():
            if name.startswith("test_") and wanted in names_in(node):
                return find(path, name)
    raise ValueError(f"no test in {path} uses {wanted}: name one that does in the row of {row.title!r}")


def names_in(node: ast.AST) -> set[str]:
    """The names and attributes that code uses."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


def section_of(row: Row) -> Section:
    """The section that teaches a concept.

    Raises:
        ValueError: if there is no such page or section.
    """
    name, title = row.page.split(" § ")
    paths = sorted(ROOT.glob(f"notebooks/{name}-*.py")) if name.isdigit() else [DOCS / f"{name}.md"]
    if not paths or not paths[0].is_file() or title not in sections(paths[0]):
        raise ValueError(f"there is no section {row.page!r}: correct the row of {row.title!r} in docs/concepts.py")
    found = sections(paths[0])
    path = paths[0].with_suffix(".ipynb" if name.isdigit() else ".md").relative_to(ROOT).as_posix()
    page = f"tutorials/{paths[0].stem}" if name.isdigit() else name
    return Section(path, page, next(iter(found)), title, found[title])


@cache
def sections(path: Path) -> dict[str, str]:
    """The sections of a page or a notebook's source by title: the page itself first, each with its subsections."""
    heading = re.compile(r"# (#{1,3}) (.+)" if path.suffix == ".py" else r"(#{1,3}) (.+)")
    found: dict[str, list[str]] = {}
    open_sections: list[tuple[int, str]] = []
    in_code = False
    for line in path.read_text("utf-8").splitlines():
        in_code ^= line.startswith("```")
        if not in_code and (match := heading.fullmatch(line)):
            level = len(match[1])
            open_sections = [(above, title) for above, title in open_sections if above < level] + [(level, match[2])]
            found[match[2]] = []
        for _, title in open_sections:
            found[title].append(line)
    return {title: "\n".join(lines) for title, lines in found.items()}


def anchor(title: str) -> str:
    """What GitHub and MyST make of a title.

    >>> anchor("Warm-up, stable, decay (WSD)")
    'warm-up-stable-decay-wsd'
    """
    return re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-")
