"""The palette of the figures, and what they share. Each report draws itself.

matplotlib is imported here and nowhere else, and only when a figure is asked for. Colours are the Okabe–Ito palette,
which readers with any colour vision can tell apart.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"
PALETTE = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def new_figure(n_columns: int = 1) -> "tuple[Figure, list[Axes]]":
    """An empty figure that a notebook shows, and its axes from left to right; several share the scale of y.

    Args:
        n_columns: how many axes.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('a plot needs matplotlib: pip install "minigpt-as-written[viz]"') from None

    class Picture(Figure):
        """A figure that a notebook shows without pyplot and its global state."""

        def _repr_png_(self) -> bytes:
            data = io.BytesIO()
            self.savefig(data, format="png")
            return data.getvalue()

    figure = Picture(figsize=(7, 4), dpi=120, layout="constrained")
    every = figure.subplots(1, n_columns, sharey=True, squeeze=False)[0]
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    return figure, list(every)


def heat_map(
    values: Sequence[Sequence[float]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    written: Sequence[Sequence[str]] | None = None,
    two_sided: bool = False,
) -> "Figure":
    """A table of numbers as colours: white is 0, blue 1, and orange -1.

    Args:
        values: a row of numbers for each of the rows.
        rows: their names, from the top.
        columns: their names, from the left.
        title: of the figure.
        written: a text for each number; ``None`` writes none.
        two_sided: whether numbers below 0 have a colour of their own.
    """
    figure, (axes,) = new_figure()
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("minigpt", [ORANGE, "white", BLUE] if two_sided else ["white", BLUE])
    picture = axes.imshow(values, cmap=colours, vmin=-1 if two_sided else 0, vmax=1, aspect="auto")
    figure.colorbar(picture)
    plain = [[text.replace("$", r"\$") for text in texts] for texts in (rows, columns)]
    axes.set_yticks(range(len(rows)), plain[0])
    axes.set_xticks(range(len(columns)), plain[1], rotation=90)
    axes.set_title(title)
    axes.grid(visible=False)
    for at, texts in enumerate(written or ()):
        for column, text in enumerate(texts):
            colour = "white" if abs(values[at][column]) > 0.5 else "black"
            axes.text(column, at, text.replace("$", r"\$"), ha="center", va="center", fontsize=7, color=colour)
    return figure


def rectangle(corner: tuple[float, float], width: float, height: float, **options: Any) -> "Rectangle":
    """A patch for ``Axes.add_patch``.

    Args:
        corner: its x and y, where it begins.
        width: along x.
        height: along y.
        options: of matplotlib's Rectangle, such as ``facecolor`` and ``label``.
    """
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **options)


def smooth(values: Sequence[float], share: float = 0.03) -> np.ndarray:
    """A centred mean, narrower at both ends of the curve.

    Args:
        values: the curve.
        share: the part of the curve that each mean is over.
    """
    half = max(1, round(share * len(values) / 2))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def mean_by_x(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """The distinct x in rising order, and at each the mean of the y.

    Args:
        points: pairs of x and y.
    """
    xs = sorted({x for x, _ in points})
    return xs, [float(np.mean([y for other, y in points if other == x])) for x in xs]
