"""The tiles of an attention as a map, queries down and keys across."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from minigpt.plots import BLUE, GREY, ORANGE, new_figure, rectangle

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Field(NamedTuple):
    """One tile of the map.

    Attributes:
        queries: its rows.
        keys: its columns.
        whole: whether every query of the tile sees every key.
    """

    queries: slice
    keys: slice
    whole: bool


def draw_map(shape: tuple[int, int], fields: Sequence[Field], *, skipped: int, title: str) -> "Figure":
    """Draw the tiles that were loaded: seen whole in one colour, seen in part in another.

    Args:
        shape: T queries and S keys.
        fields: the tiles that were loaded.
        skipped: how many were not.
        title: above the map.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, (axes,) = new_figure()
    for queries, keys, whole in fields:
        corner, size = (keys.start, queries.start), (keys.stop - keys.start, queries.stop - queries.start)
        colour = BLUE if whole else ORANGE
        axes.add_patch(rectangle(corner, *size, facecolor=colour, edgecolor="white", zorder=2))
    n_whole = sum(field.whole for field in fields)
    counts = {"seen whole": (BLUE, n_whole), "seen in part": (ORANGE, len(fields) - n_whole)}
    for label, (colour, n) in {**counts, "never loaded": ("white", skipped)}.items():
        axes.add_patch(rectangle((0, 0), 0, 0, facecolor=colour, edgecolor=GREY, label=f"{label}: {n}"))
    n_queries, n_keys = shape
    axes.set(xlim=(0, n_keys), ylim=(n_queries, 0), aspect="equal", xlabel="keys", ylabel="queries")
    axes.set_title(title, fontsize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure
