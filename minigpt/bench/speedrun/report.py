"""What a speedrun found: the seconds and the loss of each track, beside those of the yardstick."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from minigpt.bench.speedrun import words
from minigpt.bench.speedrun.host import Host
from minigpt.bench.speedrun.nanogpt import PUBLISHED, PUBLISHED_LOSS
from minigpt.bench.speedrun.protocol import SpeedrunText, TrackRun
from minigpt.bench.speedrun.tracks import Track
from minigpt.bench.speedrun.yardstick import YardstickRun
from minigpt.plots import GREY, PALETTE, new_figure
from minigpt.settings.language import filled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class TrackResult:
    """The runs of one track.

    Attributes:
        track: what was trained.
        runs: one for each seed.
    """

    track: Track
    runs: tuple[TrackRun, ...]

    def mean(self, name: str) -> float:
        """The mean over the seeds of a figure of :class:`TrackRun`.

        Args:
            name: such as "seconds" or "loss".
        """
        return statistics.fmean(getattr(run, name) for run in self.runs)

    def spread(self, name: str) -> float | None:
        """Its standard deviation over the seeds; ``None`` with one seed, or where a run diverged.

        Args:
            name: as there.
        """
        values = [getattr(run, name) for run in self.runs]
        return statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None

    @property
    def n_reached(self) -> int:
        """How many runs ended at the target or below."""
        return sum(run.loss <= self.track.target for run in self.runs)

    @property
    def is_reached(self) -> bool:
        """Whether the mean loss is at the target or below."""
        return self.mean("loss") <= self.track.target

    def shown(self, name: str, digits: int) -> str:
        """A figure as mean ± spread.

        Args:
            name: of the figure.
            digits: after the point.
        """
        spread = self.spread(name)
        return f"{self.mean(name):.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")

    def to_json(self) -> dict[str, Any]:
        """The settings of the track and the figures of its runs; times in seconds, losses in nats per character."""
        track = asdict(self.track) | {"settings": dict(self.track.settings), "n_tokens": self.track.n_tokens}
        runs = [asdict(run) | {"curve": [point._asdict() for point in run.curve]} for run in self.runs]
        names = ("set_up_seconds", "compile_seconds", "seconds", "loss")
        means = {name: {"mean": self.mean(name), "spread": self.spread(name)} for name in names}
        return {"track": track, **means, "n_reached": self.n_reached, "runs": runs}


@dataclass(frozen=True, kw_only=True)
class SpeedrunReport:
    """All measurements of one speedrun.

    Attributes:
        host: the machine.
        text: what was learnt.
        tracks: the results of each track of which a run is whole.
        yardsticks: nanoGPT's command in the parts of this library, and its own model if there was one.
        n_missing: runs that were not whole when the speedrun was stopped.
    """

    host: Host
    text: SpeedrunText
    tracks: tuple[TrackResult, ...]
    yardsticks: tuple[YardstickRun, ...] = ()
    n_missing: int = 0

    def ratio(self, result: TrackResult, yardstick: YardstickRun) -> float | None:
        """The yardstick's seconds over a track's; ``None`` where the track has another target or did not reach it.

        Args:
            result: of the track.
            yardstick: one of those of this run.
        """
        if result.track.target != PUBLISHED_LOSS or not result.is_reached or not yardstick.steps:
            return None
        return yardstick.seconds_to_target / result.mean("seconds")

    def __str__(self) -> str:
        text = words.TEXT if self.text.is_comparable else words.OTHER_TEXT
        lines = [
            str(self.host),
            text.spoken().format(self.text.path),
            "",
            _aligned(words.SPEEDRUN_HEAD.spoken().split("|")),
            *map(self._row, self.tracks),
            *map(_about, self.yardsticks),
            words.LEGEND.spoken(),
        ]
        if self.n_missing:
            lines.append(words.STOPPED.spoken().format(self.n_missing))
        return "\n".join(lines)

    def _row(self, result: TrackResult) -> str:
        track = result.track
        ratios = [self.ratio(result, yardstick) for yardstick in self.yardsticks[:1]]
        times = [_times(ratio, yard) for ratio, yard in zip(ratios, self.yardsticks[:1], strict=True)]
        apart = [f"{result.mean(name):.1f}" for name in ("set_up_seconds", "compile_seconds")]
        cells = [track.name, f"{track.steps:,}", f"{track.n_tokens:,}", result.shown("seconds", 1), *apart]
        reached = words.OF.spoken().format(result.n_reached, len(result.runs))
        return _aligned([*cells, result.shown("loss", 4), reached, (times or ["–"])[0]])

    def to_json(self) -> dict[str, Any]:
        """The same figures as JSON has them; times in seconds, losses in nats per character."""
        text = {"path": None if self.text.path is None else str(self.text.path), "sha256": self.text.sha256}
        return {
            "host": asdict(self.host),
            "text": {**text, "comparable": self.text.is_comparable},
            "tracks": [result.to_json() | {"ratios": self._ratios(result)} for result in self.tracks],
            "yardsticks": [_figures(yardstick) for yardstick in self.yardsticks],
            "n_missing": self.n_missing,
        }

    def _ratios(self, result: TrackResult) -> dict[str, float | None]:
        return {yardstick.name: self.ratio(result, yardstick) for yardstick in self.yardsticks}

    def plot(self) -> "Figure":
        """The validation loss of each run against the seconds of training; the targets are lines.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        for i, result in enumerate(self.tracks):
            colour = PALETTE[i % len(PALETTE)]
            for j, run in enumerate(result.runs):
                label = f"{result.track.name}: {result.mean('seconds'):.0f} s" if j == 0 else None
                axes.plot(*_curve(run.curve), "o-", color=colour, markersize=3, label=label)
        for yardstick, style in zip(self.yardsticks, ("--", "-."), strict=False):
            axes.plot(*_curve(yardstick.curve), style, color=GREY, label=yardstick.name)
        targets = {result.track.target for result in self.tracks} | ({PUBLISHED_LOSS} if self.yardsticks else set())
        for target in sorted(targets):
            axes.axhline(target, color="black", linestyle=":", linewidth=0.8)
        axes.set_xscale("log")
        axes.set(xlabel="training time (s)", ylabel="validation loss (nats per character)")
        axes.legend(frameon=False)
        return figure


def _aligned(cells: Iterable[str]) -> str:
    """A line of the table: the name of the track on the left, figures on the right of their columns."""
    widths = enumerate(words.SPEEDRUN_COLUMNS)
    return "".join(filled(cell, n, "left" if i else "right") for cell, (i, n) in zip(cells, widths, strict=True))


def _curve(points: Iterable[Any]) -> tuple[list[float], list[float]]:
    """Seconds and losses; a run that diverged has none there."""
    finite = [point for point in points if math.isfinite(point.loss) and point.seconds > 0]
    return [point.seconds for point in finite], [point.loss for point in finite]


def _times(ratio: float | None, yardstick: YardstickRun) -> str:
    """How many times the track is faster; a sign says where the yardstick's time is not that of a loss of 1.88."""
    if ratio is None:
        return "–"
    sign = "" if yardstick.reached else "> " if yardstick.is_whole else "≈ "
    return f"{sign}{ratio:.1f} ×"


def _about(yardstick: YardstickRun) -> str:
    """A sentence about a yardstick."""
    all_steps = PUBLISHED["max_iters"]
    done = words.STEPS_DONE.spoken().format(yardstick.name, yardstick.steps, all_steps, yardstick.seconds)
    if yardstick.curve:
        done += words.LOSS.spoken().format(yardstick.curve[-1].loss)
    if (reached := yardstick.reached) is not None:
        return words.AT_TARGET.spoken().format(done, PUBLISHED_LOSS, reached.step, reached.seconds)
    if yardstick.is_whole:
        return words.NEVER.spoken().format(done, PUBLISHED_LOSS)
    return words.ESTIMATED.spoken().format(done, all_steps, yardstick.seconds_to_target, yardstick.steps)


def _figures(yardstick: YardstickRun) -> dict[str, Any]:
    reached = yardstick.reached
    return {
        **yardstick._asdict(),
        "curve": [point._asdict() for point in yardstick.curve],
        "reached": None if reached is None else reached._asdict(),
        "published_loss": PUBLISHED_LOSS,
    }
