"""The figures. matplotlib is imported here and nowhere else, and only when a figure is asked for.

Colours are the Okabe–Ito palette, which readers with any colour vision can tell apart.
"""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from minigpt.bench import AttentionBench
    from minigpt.evaluation import Ladder
    from minigpt.learn import TiledAttention
    from minigpt.runs import Comparison
    from minigpt.training import History
    from minigpt.training.rate_finder import RateSearch

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"
PALETTE = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def plot_history(
    history: "History", *, uniform: float | None = None, floor: float | None = None, title: str | None = None
) -> "Figure":
    """The loss of a run against its steps.

    Args:
        history: what :func:`minigpt.train` returned.
        uniform: the loss of guessing, log(vocab_size), drawn as a line; in nats per token.
        floor: the least expected loss that a model can have, drawn as a line where it is known; in nats per token.
        title: above the figure.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, axes = _new_figure()
    steps, losses = history.column("loss")
    axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
    axes.plot(steps, _smooth(losses), color=BLUE, label="training, smoothed")
    steps, losses = history.column("validation_loss")
    if steps:
        axes.plot(steps, losses, "o-", color=ORANGE, markersize=4, label=f"validation, whole split: {losses[-1]:.3f}")
    if uniform is not None:
        axes.axhline(uniform, color=GREY, linestyle=":", label=f"guessing: {uniform:.3f}")
    if floor is not None:
        axes.axhline(floor, color="black", linestyle=":", label=f"floor: {floor:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats per token)", title=title or "")
    axes.legend(frameon=False)
    return figure


def plot_ladder(ladder: "Ladder") -> "Figure":
    """The rungs of a ladder as horizontal bars, in bits per byte; the floor is a line.

    Args:
        ladder: what :func:`minigpt.ladder` returned.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, axes = _new_figure()
    heights = {name: rung.bits_per_byte for name, rung in ladder.rungs.items() if name != "floor"}
    colours = [{"GPT": ORANGE, "gzip": GREY, "xz": GREY}.get(name, BLUE) for name in heights]
    bars = axes.barh(list(heights), list(heights.values()), color=colours)
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.invert_yaxis()  # the first rung on top, as in the table
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.margins(x=0.1)
    if "floor" in ladder.rungs:
        floor = ladder.rungs["floor"].bits_per_byte
        axes.axvline(floor, color="black", linestyle=":", label=f"floor: {floor:.3f}")
        axes.legend(frameon=False, loc="lower right")
    axes.set(xlabel="bits per byte (shorter is better)")
    return figure


def plot_comparison(comparison: "Comparison") -> "Figure":
    """The validation loss of each strategy against the tokens trained on: the mean of the seeds, and their spread.

    Args:
        comparison: what :func:`minigpt.compare` returned.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, axes = _new_figure()
    for i, (name, trials) in enumerate(comparison.trials.items()):
        colour, style = PALETTE[i % len(PALETTE)], ("-", "--", ":")[i // len(PALETTE) % 3]
        curves = [trial.curve for trial in trials if trial.curve]
        if len(curves) < len(trials):
            axes.plot([], [], style, color=colour, label=f"{name}: diverged")
            continue
        tokens, losses = np.array(curves).transpose(2, 0, 1)
        mean, spread = losses.mean(0), losses.std(0, ddof=1) if len(losses) > 1 else np.zeros(losses.shape[1])
        axes.plot(tokens[0], mean, style, color=colour, marker="o", markersize=3, label=f"{name}: {mean[-1]:.3f}")
        axes.fill_between(tokens[0], mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    if comparison.floor is not None:
        axes.axhline(comparison.floor, color="black", linestyle=":", label=f"floor: {comparison.floor:.3f}")
    axes.set(xlabel="tokens trained on", ylabel="validation loss (nats per token)")
    axes.legend(frameon=False)
    return figure


def plot_rate_search(search: "RateSearch") -> "Figure":
    """The loss against the learning rate, with the rate at which it turns and the one to try.

    Args:
        search: what :func:`minigpt.find_learning_rate` returned.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, axes = _new_figure()
    axes.plot(search.rates, search.losses, color=BLUE, alpha=0.25, linewidth=0.8)
    axes.plot(search.rates, search.smoothed, color=BLUE, label="loss, smoothed")
    axes.axvline(search.turn, color=GREY, linestyle=":", label=f"turns at {search.turn:.1e}")
    axes.axvline(search.suggestion, color=ORANGE, label=f"try {search.suggestion:.1e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss (nats per token)")
    axes.legend(frameon=False)
    return figure


def plot_tiles(tiled: "TiledAttention") -> "Figure":
    """The tiles of an attention as a map, queries down and keys across: seen whole, seen in part, never loaded.

    Args:
        tiled: what :func:`minigpt.learn.tiled_attention` returned.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, axes = _new_figure()
    (n_queries, n_keys), (rows, columns) = tiled.shape, tiled.blocks
    for tile in tiled.tiles:
        corner = (tile.keys.start, tile.queries.start)
        size = (tile.keys.stop - tile.keys.start, tile.queries.stop - tile.queries.start)
        colour = BLUE if tile.whole else ORANGE
        axes.add_patch(_rectangle(corner, *size, facecolor=colour, edgecolor="white", zorder=2))
    n_whole = sum(tile.whole for tile in tiled.tiles)
    counts = {"seen whole": (BLUE, n_whole), "seen in part": (ORANGE, len(tiled.tiles) - n_whole)}
    for label, (colour, n) in {**counts, "never loaded": ("white", tiled.skipped)}.items():
        axes.add_patch(_rectangle((0, 0), 0, 0, facecolor=colour, edgecolor=GREY, label=f"{label}: {n}"))
    moved, formula = tiled.bytes_read + tiled.bytes_written, sum(tiled.formula_bytes)
    axes.set(xlim=(0, n_keys), ylim=(n_queries, 0), aspect="equal", xlabel="keys", ylabel="queries")
    axes.set_title(f"tiles of {rows} × {columns}: {moved:,} bytes moved, {formula:,} by the formula", fontsize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def plot_attention_bench(bench: "AttentionBench") -> "Figure":
    """Operations per second of each contender over the length, below the roofline; forward and backward apart.

    A line is the mean over dtypes, head widths and masks that the contender ran at that length.

    Args:
        bench: what :func:`minigpt.bench.measure_attention` returned.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure, _ = _new_figure()
    figure.clear()
    unit, factor = ("GFLOP/s", 1e9) if bench.device == "cpu" else ("TFLOP/s", 1e12)
    ran = [row for row in bench.rows if not row.skipped]
    names = list(dict.fromkeys(row.name for row in ran))
    for i, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        for name, colour in zip(names, PALETTE, strict=False):
            rates = _mean_by_length(
                [(row.setting.n_positions, row.rates[i] / factor) for row in ran if row.name == name]
            )
            axes.plot(*rates, "o-", color=colour, markersize=4, label=name)
        limits = _mean_by_length([(row.setting.n_positions, bench.roofline(row.setting)[i] / factor) for row in ran])
        axes.plot(*limits, ":", color="black", label="roofline")
        axes.set_xscale("log", base=2)
        axes.set_xticks(limits[0], [f"{length:,}" for length in limits[0]])
        axes.set(xlabel="T (positions)", title=("forward", "backward")[i], ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    figure.axes[0].set_ylabel(unit)
    figure.axes[1].legend(frameon=False)
    return figure


def _mean_by_length(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    lengths = sorted({length for length, _ in points})
    return lengths, [float(np.mean([y for x, y in points if x == length])) for length in lengths]


def _rectangle(*args: Any, **options: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(*args, **options)


def _new_figure() -> "tuple[Figure, Axes]":
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
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)
    return figure, axes


def _smooth(values: list[float], share: float = 0.03) -> np.ndarray:
    """A centred mean over ``share`` of the curve, narrower at its ends."""
    half = max(1, round(share * len(values) / 2))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)
