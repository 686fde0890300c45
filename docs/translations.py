"""The Chinese catalogues: ``python docs/translations.py [pages] [--check]``.

The English page is the truth. Its paragraphs, titles, cells and captions are *messages*; the catalogue of a page,
``docs/locale/zh_CN/LC_MESSAGES/<page>.po``, holds the Chinese for each. This script brings catalogues up to date – new
messages come in empty, changed ones keep their old Chinese marked ``fuzzy``, vanished ones go – writes
``README.zh-CN.md``, and says what is left to do. Pages are named as notebooks are: ``05``, ``install``, ``README``;
none named means every page that is translated.

``--check`` writes nothing; the exit status is 1 where anything is left to do.
"""

import argparse
import io
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten

import concept_map
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

DOCS = Path(__file__).parent
ROOT = DOCS.parent
CATALOGUES = DOCS / "locale" / "zh_CN" / "LC_MESSAGES"
README = ROOT / "README.md"

# The rest of the reference stays English; the glossary has both languages.
TRANSLATED = [
    "index.md",
    "faq.md",
    "install.md",
    "tutorials/*.md",
    "tutorials/*.ipynb",
    "howto/*.md",
    "explanation/*.md",
    "reference/api/index.md",
    "reference/cli.md",
    "reference/equations.md",
    "reference/map.md",
    "reference/notation.md",
]
# Of these, what waits for its Chinese. The list only ever gets shorter.
NOT_YET: set[str] = set()

HEADER = r"""msgid ""
msgstr ""
"Language: zh_CN\n"
"Content-Type: text/plain; charset=UTF-8\n"

"""


def pages() -> list[str]:
    """The names of the pages that are to be translated: paths in docs/ without their ends, and ``README``."""
    written = {path.relative_to(DOCS) for pattern in TRANSLATED for path in DOCS.glob(pattern)}
    names = {path.with_suffix("").as_posix() for path in written if path.suffix == ".md"}
    notebooks = {f"tutorials/{path.stem}" for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb")}
    return [*sorted(names | notebooks), "README"]


def english() -> dict[str, list[str]]:
    """The messages of each page, in order, as Sphinx will look them up."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Sphinx's parts, and of links to the pages that are left out
        with patch_docutils(DOCS), docutils_namespace():
            options = {"include_patterns": TRANSLATED}
            app = Sphinx(DOCS, DOCS, folder, folder, "gettext", options, status=None, warning=io.StringIO())
            app.build(force_all=True)
        found = {page: catalogue.messages for page, catalogue in app.builder.catalogs.items()}
    found["reference/map"] = concept_map.messages()  # generated: its words, without the links to lines of code
    found["README"] = [message_of(token) for token in inlines(README.read_text("utf-8"))]
    return {page: list(dict.fromkeys(filter(has_words, messages))) for page, messages in found.items()}


def has_words(message: str) -> bool:
    """Whether a message is more than code and formulas."""
    return "\\text" in message or any(re.search(r"[^\W\d_]", text_of(token, code="")) for token in inlines(message))


def message_of(inline: Token) -> str:
    """A paragraph of a Markdown file on one line, as Sphinx makes its messages."""
    return inline.content.replace("\n", " ")


def catalogue_of(page: str) -> Path:
    """Where the Chinese of a page is."""
    return CATALOGUES / f"{page}.po"


def read(page: str) -> Catalog:
    """The catalogue of a page; an empty one if there is none yet."""
    path = catalogue_of(page)
    text = path.read_bytes() if path.exists() else HEADER.encode()
    return read_po(io.BytesIO(text), locale="zh_CN")


def updated(catalogue: Catalog, messages: list[str]) -> str:
    """The text of a catalogue that has exactly these messages."""
    template = Catalog()
    for message in messages:
        template.add(message)
    catalogue.update(template)
    for message in catalogue:
        message.flags &= {"fuzzy"}  # formulas are no format strings, whatever Babel makes of their braces
    text = io.BytesIO()
    write_po(text, catalogue, width=100, omit_header=True, ignore_obsolete=True, include_previous=True)
    return HEADER + text.getvalue().decode().strip() + "\n"


def left_to_do(page: str, messages: list[str]) -> list[str]:
    """What keeps a page from being translated, a line for each."""
    if not catalogue_of(page).exists():
        path = catalogue_of(page).relative_to(ROOT)
        return [
            f"{page} has no catalogue: run `make translations PAGES={page.split('/')[-1]}` and translate {path};"
            " until then, add the page to NOT_YET in docs/translations.py"
        ]
    catalogue = read(page)
    held = {message.id: message for message in catalogue if message.id}
    remedy = f"run `make translations`, then see to {catalogue_of(page).relative_to(ROOT)}"
    found = [f"new in English; {remedy}: {text}" for text in messages if text not in held]
    found += [f"no longer in English; {remedy}: {text}" for text in held if text not in messages]
    found += [f"obsolete; delete it: {text}" for text in catalogue.obsolete]
    for text, message in held.items():
        found += [f"{fault}: {text}" for fault in faults_of(message)]
    return [shorten(line, 300) for line in found]


def faults_of(message: Message) -> list[str]:
    """What is wrong with one translation."""
    if message.fuzzy:
        return ["fuzzy: the English changed; correct the Chinese, then delete the lines `#, fuzzy` and `#|`"]
    return faults(message.id, message.string) if message.string else ["not translated"]


# What a translation must keep, and how Chinese is set.

MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin).use(myst_role_plugin)
KEPT = {"math_inline": "formula", "math_inline_double": "formula", "code_inline": "code", "html_inline": "HTML"}
HAN = r"[\u3400-\u9fff]"
SETTING = {
    rf"{HAN} ?[,;:!?]|[,;:!?] ?{HAN}|{HAN}\.(?!\w)|X[,;]": "ASCII punctuation; use ，、；：！？。",
    rf'{HAN}[()"]|[()"]{HAN}': "ASCII brackets or quotes; use （） and “”",
    rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9]{HAN}": "no space between Chinese and Latin letters, digits, code or formulas",
    r"\s[，。、；：！？）”]|[，。、；：！？（“]\s": "a space beside full-width punctuation",
    r" – ": "an en dash; use ——",
}


def faults(english: str, chinese: str) -> list[str]:
    """What a translation lost or added, and where its setting is wrong."""
    if "\\text" in english and "$" not in english:
        same = without_words(english) == without_words(chinese)
        return [] if same else ["only the words in \\text{…} of a formula are translated"]
    blocks = MARKDOWN.parse(chinese)
    if [block.type for block in blocks] != ["paragraph_open", "inline", "paragraph_close"]:
        return ["does not read as one paragraph; put a backslash before what makes it a list or a title, as in `1\\.`"]
    wanted, got = kept(english), kept(chinese)
    found = [f"lost: {kind} {text}" for kind, text in (wanted - got).elements()]
    found += [f"added: {kind} {text}" for kind, text in (got - wanted).elements()]
    shown = text_of(blocks[1], code="X")
    if "*" in shown and "*" not in text_of(next(inlines(english)), code="X"):
        found.append("an emphasis that does not close; put the punctuation outside of it, as in `**字**：`")
    if not re.search(HAN, shown) and len(re.findall(r"[a-z]{2,}", shown)) > 3:
        found.append("still English")
    if re.search(HAN, shown):
        found += [f"{fault} ({match[0]!r})" for rule, fault in SETTING.items() if (match := re.search(rule, shown))]
    return found


def kept(text: str) -> Counter[tuple[str, str]]:
    """The formulas, code, links, roles and HTML of a message, and how often each occurs."""
    found: Counter[tuple[str, str]] = Counter()
    for token in inlines(text):
        for child in token.children or []:
            if child.type in KEPT:
                found[KEPT[child.type], without_words(child.content)] += 1
            elif child.type == "myst_role":
                found["role", f"{child.meta['name']} {target_of(child.content)}"] += 1
            elif child.type in ("link_open", "image"):
                found["link", str(child.attrs.get("href") or child.attrs.get("src"))] += 1
    return found


def target_of(role: str) -> str:
    """What a role points at: ``text <target>`` may be translated, its target not."""
    match = re.search(r"<([^<>]+)>$", role)
    return match[1] if match else role


def without_words(latex: str) -> str:
    """A formula without the words and blanks in it."""
    return re.sub(r"\\text\s*\{[^}]*\}|\s", "", latex)


def text_of(inline: Token, *, code: str) -> str:
    """The text of a message as it is read, with ``code`` for every formula and piece of code."""
    shown = {"text": lambda child: child.content, "image": lambda child: child.content, "softbreak": lambda _: " "}
    unread = ("link_open", "link_close", "em_open", "em_close", "strong_open", "strong_close")
    return "".join(
        shown.get(child.type, lambda _: code)(child) for child in inline.children or [] if child.type not in unread
    )


def inlines(markdown: str) -> Iterator[Token]:
    """The tokens that hold text: paragraphs, titles, cells."""
    return (token for token in MARKDOWN.parse(markdown) if token.type == "inline" and token.content)


# README lies outside of the site; its Chinese is a file of its own.


def translated(markdown: str, catalogue: Catalog) -> str:
    """A page with each message replaced by its translation, where there is one, and all else as it is."""
    done, rest = "", markdown
    for token in inlines(markdown):
        lines = [re.escape(line) for line in token.content.split("\n")]
        match = re.search(r"\n[ >]*".join(lines), rest)
        assert match is not None, f"cannot find {token.content!r}"
        message = catalogue.get(message_of(token))
        chinese = message.string if message is not None and message.string and not message.fuzzy else match[0]
        done, rest = done + rest[: match.start()] + chinese, rest[match.end() :]
    return done + rest


def chosen(names: list[str]) -> list[str]:
    """The pages that the names mean.

    Raises:
        ValueError: if a name means no page.
    """
    everything = pages()
    starts = [re.sub(r"\.(md|py|ipynb|po)$", "", Path(name).name) for name in names]
    for start in starts:
        if not any(page.split("/")[-1].startswith(start) for page in everything):
            raise ValueError(f"no page is called {start!r}; there are {', '.join(everything)}")
    if not names:
        return [page for page in everything if page not in NOT_YET]
    return [page for page in everything if page.split("/")[-1].startswith(tuple(starts))]


def main() -> int:
    """Update the catalogues and report; the exit status is 1 where ``--check`` found something."""
    parser = argparse.ArgumentParser(description="Bring the Chinese catalogues up to date and say what is left to do.")
    parser.add_argument("pages", nargs="*", help="which ones, e.g. 05; every translated page, if none is named")
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    try:
        wanted = chosen(arguments.pages)
    except ValueError as error:
        parser.error(str(error))
    messages = english()
    count = 0
    for page in wanted:
        if not arguments.check:
            write(page, messages[page])
        found = left_to_do(page, messages[page])
        print(f"{page}: {len(messages[page])} messages, {len(found) or 'nothing'} left to do")
        print("".join(f"  {line}\n" for line in found), end="")
        count += len(found)
    return 1 if arguments.check and count else 0


def write(page: str, messages: list[str]) -> None:
    """Bring one catalogue up to date, and the Chinese README with it."""
    path = catalogue_of(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(updated(read(page), messages), encoding="utf-8", newline="\n")
    if page == "README":
        chinese = translated(README.read_text("utf-8"), read(page))
        README.with_suffix(".zh-CN.md").write_text(chinese, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
