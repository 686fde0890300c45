"""A table of coloured numbers as a piece of HTML that needs nothing else: no script, no font, no network.

Numbers are written in the cells, so colour says nothing that is not said otherwise; the table scrolls by itself where
it is wider than the page, and has a caption and headings for a screen reader.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from itertools import count
from typing import Any

MOST_CELLS = 20_000  # of one view: some 2 MB of HTML

_numbers = count(1)


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        text: what is written.
        weight: how dark it is, from -1 to 1; negative numbers have the other colour.
        title: what a pointer that rests on it is told.
    """

    text: str
    weight: float = 0.0
    title: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class View:
    """What a notebook shows. ``plot()`` is the same as a figure.

    Attributes:
        html: a piece of HTML that needs nothing else.
        plot: draws it with matplotlib.
        text: what is shown where there is no HTML.
    """

    html: str
    plot: Callable[[], Any]
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def number_table(caption: str, corner: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]]) -> str:
    """The table itself.

    Args:
        caption: HTML.
        corner: text of the corner: what rows and columns are.
        columns: texts of the headings.
        rows: the text of each heading, and its cells.

    Raises:
        ValueError: if there are too many cells for a page.
    """
    every = list(rows)
    if len(every) * len(columns) > MOST_CELLS:
        raise ValueError(
            f"a view of {len(every)} × {len(columns)} cells is too large for a page (at most {MOST_CELLS:,}): look at "
            "fewer tokens"
        )
    head = "".join(f'<th scope="col" title="{escape(text)}"><bdi>{escape(text)}</bdi></th>' for text in columns)
    body = "".join(_row(name, cells) for name, cells in every)
    label = escape(corner, quote=True)
    return (
        f'<div class="mg-scroll" role="region" aria-label="{label}" tabindex="0"><table><caption>{caption}</caption>'
        f'<thead><tr><th scope="col">{escape(corner)}</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(name: str, cells: Sequence[Cell]) -> str:
    head = f'<th scope="row" title="{escape(name)}"><bdi>{escape(name)}</bdi></th>'
    return f"<tr>{head}{''.join(map(_cell, cells))}</tr>"


def _cell(cell: Cell) -> str:
    minus = ' class="mg-minus"' if cell.weight < 0 else ""
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    return f'<td{minus} style="--w:{min(abs(cell.weight), 1):.3g}"{title}><bdi>{escape(cell.text)}</bdi></td>'


def in_view(body: str, label: str, script: str = "") -> str:
    """A view with its style and, where it has one, its script.

    Args:
        body: HTML.
        label: what it is, for a screen reader.
        script: a function of the view's element, by its name in ``attention.js``.
    """
    identity = f"mg-view-{next(_numbers)}"
    style = _asset("minigpt.equations.explorer", "explore.css") + _asset(__package__, "view.css")
    start = f'{_asset(__package__, "attention.js")}\n{script}(document.getElementById("{identity}"));' if script else ""
    return (
        f'<style>{style}</style><div class="mg-explore mg-view" id="{identity}" role="group" '
        f'aria-label="{escape(label)}">{body}</div>' + (f"<script>{start}</script>" if start else "")
    )


@cache
def _asset(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8").strip()
