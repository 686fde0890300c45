"""The map of concepts: ``python docs/concept_map.py`` writes it, ``--check`` says whether it is up to date.

For each concept of ``concepts.py`` the map links its code, its check, its test and the section that teaches it. The
Markdown in ``docs/reference`` has links for a reader of the repository, in English and Chinese; the site shows the same
page with links within the site (``_ext/map_page.py``).
"""

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from concepts import SUBJECTS, Formula, Row, Rule

from minigpt import equations
from minigpt.checks import CHECKS

DOCS = Path(__file__).parent
ROOT = DOCS.parent
CATALOGUES = DOCS / "locale" / "zh_CN" / "LC_MESSAGES"
PAGES = {"en": DOCS / "reference" / "map.md", "zh_CN": DOCS / "reference" / "map.zh-CN.md"}
SWITCH = "[English](map.md) · [简体中文](map.zh-CN.md)"
TITLE = "Map: formula, code, check, test, page"
INTRODUCTION = (
    "One entry for each concept of the library: its formula, the code that implements it, the check that evaluates the "
    "formula literally and compares the two, a test, and the section that teaches it.",
    "Each formula is tested three times over: `tests/equations/test_registry.py` runs its check on random inputs of "
    "changing shapes in three precisions, `make test-mutants` changes the formula and the code in one place after "
    "another to see that the check notices, and the test named here looks at the code from another side.",
    "A rule that is no formula has a test in place of the check.",
)
LABELS = {kind: f"{kind}:" for kind in ("code", "check", "test", "page")}
Translate = Callable[[str], str]


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


# Where things are


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


# The page


def markdown(language: str = "en", *, on_site: bool = False) -> str:
    """The whole page."""
    words = translator("reference/map", language)
    colon = ": " if language == "en" else "："
    contents = [
        f"- **{words(subject)}**{colon}"
        + " · ".join(f"[{words(row.title)}](#{anchor(words(row.title))})" for row in rows)
        for subject, rows in SUBJECTS.items()
    ]
    parts = [f"# {words(TITLE)}", *([] if on_site else [SWITCH]), *map(words, INTRODUCTION), "\n".join(contents)]
    for subject, rows in SUBJECTS.items():
        parts.append(f"## {words(subject)}")
        for row in rows:
            parts += [f"### {words(row.title)}", *entry(row, words, language, on_site)]
    return "\n\n".join(parts) + "\n"


def entry(row: Row, words: Translate, language: str, on_site: bool) -> Iterator[str]:
    """What is below the title of a concept."""
    links = site_links(row) if on_site else repository_links(row)
    section = section_of(row)
    of_page = translator(section.page, language)
    target = f"../{section.page}{Path(section.path).suffix}" if on_site else f"../../{section.path}"
    titles = dict.fromkeys([of_page(section.page_title), of_page(section.title)])
    links["page"] = f"[{' § '.join(titles)}]({target}#{anchor(section.title)})"
    yield formula(row, words, on_site) if isinstance(row, Formula) else words(row.statement)
    yield "\n".join(f"- {words(LABELS[kind])} {link}".replace("： ", "：") for kind, link in links.items())


def formula(row: Formula, words: Translate, on_site: bool) -> str:
    """The equation as a display formula."""
    latex = equations.get(row.name)._repr_latex_().strip("$")
    latex = re.sub(r"\\text\{[^}]*\}", lambda match: words(match[0]), latex)
    # GitHub refuses this macro, and takes the backslashes out of $$ … $$
    return f"$$\n{latex}\n$$" if on_site else f"```math\n{latex.replace('operatorname', 'mathrm')}\n```"


def repository_links(row: Row) -> dict[str, str]:
    """Links to lines of files."""
    places = {
        "code": code_of(row),
        **({"check": check_of(row)} if isinstance(row, Formula) else {}),
        "test": test_of(row),
    }
    shown = {kind: f"[`{place.name or place.path}`](../../{place})" for kind, place in places.items()}
    return {kind: link + (f" · `{places[kind].path}`" if places[kind].name else "") for kind, link in shown.items()}


def site_links(row: Row) -> dict[str, str]:
    """Links to the entries of the reference, and to the files themselves."""
    code, test = code_of(row), test_of(row)
    module = code.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    described = code.name and code.path.startswith("minigpt/")
    entry = f"{{py:obj}}`{code.name} <{module}.{code.name}>` · " if described else ""
    links = {"code": entry + download(code.path)}
    if isinstance(row, Formula):
        check = check_of(row)
        links["check"] = f"[`{check.name}`](equations.md#{row.name}) · {download(check.path)}"
    return links | {"test": f"`{test.name}` · {download(test.path)}"}


def download(path: str) -> str:
    """A link to a copy of a file."""
    return f"{{download}}`{path} <../../{path}>`"


# The Chinese


@cache
def translator(page: str, language: str) -> Translate:
    """From a message of a page to its translation, where there is one."""
    path = CATALOGUES / f"{page}.po"
    if language == "en" or not path.is_file():
        return str
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    held = {message.id: message.string for message in catalogue if message.string and not message.fuzzy}
    return lambda message: held.get(message) or message


def messages() -> list[str]:
    """What is to be translated, in order."""
    found = [TITLE, *INTRODUCTION, *LABELS.values()]
    for subject, rows in SUBJECTS.items():
        found.append(subject)
        for row in rows:
            found.append(row.title)
            latex = equations.get(row.name)._repr_latex_() if isinstance(row, Formula) else ""
            found += [row.statement] if isinstance(row, Rule) else re.findall(r"\\text\{[^}]*\}", latex)
    return list(dict.fromkeys(found))


# The files


def stale() -> list[str]:
    """The pages that are not what this script would write, line numbers aside, and the links that miss their target.

    A line number that still is inside its function is good enough: not every edit of the code should be one of the map.
    """
    found = []
    for language, path in PAGES.items():
        name = path.relative_to(ROOT).as_posix()
        text, wanted = path.read_text("utf-8") if path.is_file() else "", markdown(language)
        if without_lines(text) != without_lines(wanted):
            found.append(f"{name} is out of date: run `make map`")
            continue
        ranges = (place for row in rows() for place in places(row))
        for place, (target, line) in zip(ranges, re.findall(r"\]\(\.\./\.\./(\S+\.py)#L(\d+)\)", text), strict=True):
            if not (target == place.path and place.first <= int(line) <= place.last):
                found.append(f"{name}: {target}#L{line} is not in {place.name}: run `make map`")
    return found


def rows() -> Iterator[Row]:
    """All rows, in order."""
    return (row for of_subject in SUBJECTS.values() for row in of_subject)


def places(row: Row) -> list[Place]:
    """What the map links by line, in order."""
    found = [code_of(row), *([check_of(row)] if isinstance(row, Formula) else []), test_of(row)]
    return [place for place in found if place.name]


def without_lines(text: str) -> str:
    """The text without the line numbers of its links."""
    return re.sub(r"#L\d+\)", ")", text)


def main() -> int:
    """Write the pages, or say what is stale."""
    parser = argparse.ArgumentParser(description="Write the map of concepts.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 where the map is out of date"
    )
    if parser.parse_args().check:
        found = stale()
        print("\n".join(found) or "the map is up to date")
        return 1 if found else 0
    for language, path in PAGES.items():
        path.write_text(markdown(language), encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
