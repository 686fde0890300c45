"""The graph of a tape as a picture: values go from left to right, gradients come back."""

from itertools import pairwise
from typing import TYPE_CHECKING

from minigpt.learn.autograd import GraphNode
from minigpt.plots import BLUE, GREY, ORANGE, new_figure, rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Spot = tuple[float, float]
_WIDTH, _HEIGHT = 0.72, 0.72  # of a box; columns and rows are 1 apart


def draw_tape(loss: GraphNode, decimals: int = 3) -> "Figure":
    """Draw each node with its value (blue) and the gradient of the loss (orange); of an array, the shape and the norm.

    Args:
        loss: the last node of the graph; call its ``backward`` before, or all gradients are 0.
        decimals: of every number.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    places = arrange(loss)
    right, up = max(x for x, _ in places.values()), max(y for _, y in places.values())
    figure, (axes,) = new_figure()
    figure.set_size_inches(1.25 * (right + 1), 0.85 * (up + 1.3))
    for node, (x, y) in places.items():
        corner, edge = (x - _WIDTH / 2, y - _HEIGHT / 2), GREY if node.parents else "black"
        axes.add_patch(rectangle(corner, _WIDTH, _HEIGHT, facecolor="white", edgecolor=edge, zorder=2))
        name = f"${node.name}$" if node.name and not node.parents else node.name
        lines = zip((0.22, 0, -0.22), (name, *_numbers(node, decimals)), ("black", BLUE, ORANGE), strict=True)
        for offset, text, colour in lines:
            axes.text(x, y + offset, text, color=colour, ha="center", va="center", fontsize=9, zorder=3)
        for parent in dict.fromkeys(parent for parent, _ in node.parents):
            _draw_arrow(axes, places[parent], (x, y))
    axes.set(xlim=(-0.5, right + 0.5), ylim=(-0.5, up + 0.8))
    axes.axis("off")
    return figure


def _draw_arrow(axes: "Axes", start: Spot, end: Spot) -> None:
    (x, y), (to_x, to_y), options = start, end, {"arrowstyle": "->", "color": GREY}
    if to_x - x > 1 and y == to_y:  # over the boxes between them
        options["connectionstyle"] = f"arc3,rad={-0.5 / (to_x - x)}"
        axes.annotate("", (to_x, to_y + _HEIGHT / 2), (x, y + _HEIGHT / 2), arrowprops=options)
    else:
        axes.annotate("", (to_x - _WIDTH / 2, to_y), (x + _WIDTH / 2, y), arrowprops=options)


def arrange(loss: GraphNode) -> dict[GraphNode, Spot]:
    """Where each node is drawn: to the right of its parents, at their mean height; no two in one place.

    Args:
        loss: the last node of the graph.
    """
    tape = loss.tape()
    columns = dict.fromkeys(tape, 0)
    for node in tape:
        columns[node] = max((columns[parent] + 1 for parent, _ in node.parents), default=0)
    for node in reversed(tape):  # what was computed from nothing stands beside what uses it first
        for parent, _ in node.parents:
            if not parent.parents:
                users = [columns[user] for user in tape if any(parent is p for p, _ in user.parents)]
                columns[parent] = min(users) - 1
    leaves = [node for node in tape if not node.parents]
    heights: dict[GraphNode, float] = {leaf: float(i) for i, leaf in enumerate(leaves)}
    for node in tape:
        if node.parents:
            heights[node] = sum(heights[parent] for parent, _ in node.parents) / len(node.parents)
    for column in set(columns.values()):
        here = sorted((node for node in tape if columns[node] == column), key=heights.__getitem__)
        for below, above in pairwise(here):
            heights[above] = max(heights[above], heights[below] + 1)
    return {node: (float(columns[node]), heights[node]) for node in tape}


def _numbers(node: GraphNode, decimals: int) -> tuple[str, str]:
    """The value and the gradient, in words that fit into a box."""
    if node.data.size == 1:
        return f"{node.data.item():.{decimals}f}", f"{node.grad.item():.{decimals}f}"
    return "×".join(map(str, node.shape)), f"‖{(node.grad**2).sum() ** 0.5:.{decimals}f}‖"
