"""A table of coloured numbers as a piece of HTML that needs nothing else: no script, no font, no network.

Numbers are written in the cells, so colour says nothing that is not said otherwise; the table scrolls by itself where
it is wider than the page, and has a caption and headings for a screen reader. Captions and headings are in English
and in Chinese, and the style shows the language of the page, or the one that was asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from itertools import count
from typing import Any

from minigpt.settings import check_choice
from minigpt.settings.language import Bilingual

MOST_CELLS = 20_000  # of one view: some 2 MB of HTML

_numbers = count(1)


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        text: what is written; a long text is cut off.
        weight: how dark it is, from -1 to 1; negative numbers have the other colour.
        after: what is written after the text and is never cut off.
    """

    text: str
    weight: float = 0.0
    after: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.after}".rstrip()


@dataclass(frozen=True, eq=False, repr=False)
class View:
    """What a notebook shows. ``plot()`` is the same as a figure.

    Attributes:
        html: a piece of HTML that needs nothing else.
        plot: draws it with matplotlib.
        text: what is shown where there is no HTML.
        lang: of the text, "en" or "zh"; ``None`` takes that of the locale.
    """

    html: str
    plot: Callable[[], Any]
    text: Bilingual
    lang: str | None = None

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.text.spoken(self.lang)

    __repr__ = __str__


def number_table(
    caption: Bilingual,
    corner: Bilingual,
    columns: Sequence[str | Bilingual],
    rows: Iterable[tuple[str | Bilingual, Sequence[Cell]]],
) -> str:
    """The table itself.

    Args:
        caption: HTML.
        corner: texts of the corner: what rows and columns are.
        columns: the headings.
        rows: each heading, and its cells.

    Raises:
        ValueError: if there are too many cells for a page.
    """
    every = list(rows)
    if len(every) * len(columns) > MOST_CELLS:
        raise ValueError(
            f"a view of {len(every)} × {len(columns)} cells is too large for a page (at most {MOST_CELLS:,}): look at "
            "fewer tokens"
        )
    head = "".join(_heading("col", text) for text in (corner, *columns))
    body = "".join(f"<tr>{_heading('row', name)}{''.join(map(_cell, cells))}</tr>" for name, cells in every)
    identity = f"mg-caption-{next(_numbers)}"
    return (
        f'<div class="mg-scroll" role="region" aria-labelledby="{identity}" tabindex="0"><table>'
        f'<caption><div id="{identity}">{in_both(*caption)}</div></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def in_both(english: str, chinese: str) -> str:
    """HTML of which one language shows.

    Args:
        english: HTML.
        chinese: HTML.
    """
    return f'<span class="mg-en" lang="en">{english}</span><span class="mg-zh" lang="zh-CN" hidden>{chinese}</span>'


def _heading(scope: str, text: str | Bilingual) -> str:
    if isinstance(text, Bilingual):
        return f'<th scope="{scope}">{in_both(*map(escape, text))}</th>'
    return f'<th scope="{scope}" title="{escape(text)}"><bdi>{escape(text)}</bdi></th>'


def _cell(cell: Cell) -> str:
    minus = ' class="mg-minus"' if cell.weight < 0 else ""
    title = f' title="{escape(str(cell))}"' if cell.after else ""
    after = f" {escape(cell.after)}" if cell.after else ""
    weight = f"--w:{min(abs(cell.weight), 1):.3g}"
    return f'<td{minus} style="{weight}"{title}><bdi>{escape(cell.text)}</bdi>{after}</td>'


def in_view(body: str, script: str = "", lang: str | None = None) -> str:
    """A view with its style and, where it has one, its script.

    Args:
        body: HTML.
        script: a function of the view's element, by its name in ``attention.js``.
        lang: "en" or "zh"; ``None`` follows the page.

    Raises:
        ValueError: if there is no such language.
    """
    if lang is not None:
        check_choice("lang", lang, ("en", "zh"))
    identity, language = f"mg-view-{next(_numbers)}", {None: "", "en": ' lang="en"', "zh": ' lang="zh-CN"'}[lang]
    style = _asset("minigpt.equations.explorer", "explore.css") + _asset(__package__, "view.css")
    start = f'{_asset(__package__, "attention.js")}\n{script}(document.getElementById("{identity}"));' if script else ""
    return f'<style>{style}</style><div class="mg-explore mg-view" id="{identity}"{language}>{body}</div>' + (
        f"<script>{start}</script>" if start else ""
    )


@cache
def _asset(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8").strip()
