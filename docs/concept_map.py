"""The map of concepts: ``python docs/concept_map.py`` writes it, ``--check`` says whether it is up to date.

For each concept of ``concepts.py`` the map links its code, its check, its test and the section that teaches it. The
Markdown in ``docs/reference`` has links for a reader of the repository, in English and Chinese; the site shows the same
page with links within the site (``_ext/map_page.py``).
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from concept_places import DOCS, ROOT, Place, anchor, check_of, code_of, section_of, test_of
from concepts import SUBJECTS, Formula, Row, Rule

from minigpt import equations

CATALOGUES = DOCS / "locale" / "zh_CN" / "LC_MESSAGES"
PAGES = {"en": DOCS / "reference" / "map.md", "zh_CN": DOCS / "reference" / "map.zh-CN.md"}
SWITCH = "[English](map.md) · [简体中文](map.zh-CN.md)"
TITLE = "Map: formula, code, check, test, page"
INTRODUCTION = (
    "One entry for each concept of the library: its formula, the code that implements it, the check that evaluates the "
    "formula literally and compares the two, a test, and the section that teaches it.",
    "Each formula is tested three times over: `tests/equations/test_registry.py` runs its check on random inputs of "
    "changing shapes in three precisions, `make test-mutants` changes the formula and the code in one place after "
    "another to see that the check notices, and the test named here does not depend on the check.",
    "A rule that is no formula has a test in place of the check.",
)
LABELS = {kind: f"{kind}:" for kind in ("code", "check", "test", "page")}
Translate = Callable[[str], str]


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
    latex = equations.get(row.name).display.strip("$")
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
            latex = equations.get(row.name).display if isinstance(row, Formula) else ""
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
