"""What a speedrun found: the seconds and the loss of each track, beside those of the yardstick."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from minigpt.bench.speedrun.host import Host
from minigpt.bench.speedrun.nanogpt import PUBLISHED, PUBLISHED_LOSS
from minigpt.bench.speedrun.protocol import OTHER_TEXT, SpeedrunText, TrackRun
from minigpt.bench.speedrun.tracks import Track
from minigpt.bench.speedrun.yardstick import YardstickRun
from minigpt.plots import GREY, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPEEDRUN_LEGEND = """\
seconds: of training, without set-up, compilation and evaluations. set-up: reading the text, building the model.
compile: what the first 3 steps took beyond the median step. loss: nats per character over the whole validation split.
yardstick: the seconds of nanoGPT's command up to a loss of 1.88 over those of the track, which has the same target.
  Tracks compute in the precision of their recipe ("auto": 16 bits where the CPU has instructions for it), nanoGPT's
  command in float32, as nanoGPT does. Compilation is shown apart. >: at least; ≈: estimated."""


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
        head = f"{'track':<8}{'steps':>7}{'characters':>12}{'seconds':>16}{'set-up':>8}{'compile':>9}{'loss':>18}"
        lines = [
            str(self.host),
            "Tiny Shakespeare by characters: 90 % to train, 10 % to validate"
            if self.text.is_comparable
            else f"{self.text.path}: {OTHER_TEXT}",
            "",
            f"{head}{'reached':>9}{'yardstick':>11}",
            *map(self._row, self.tracks),
            *map(_about, self.yardsticks),
            SPEEDRUN_LEGEND,
        ]
        if self.n_missing:
            lines.append(f"stopped: {self.n_missing} more runs were asked for, and are not counted")
        return "\n".join(lines)

    def _row(self, result: TrackResult) -> str:
        track = result.track
        ratios = [self.ratio(result, yardstick) for yardstick in self.yardsticks[:1]]
        times = [_times(ratio, yard) for ratio, yard in zip(ratios, self.yardsticks[:1], strict=True)]
        return (
            f"{track.name:<8}{track.steps:>7,}{track.n_tokens:>12,}{result.shown('seconds', 1):>16}"
            f"{result.mean('set_up_seconds'):>8.1f}{result.mean('compile_seconds'):>9.1f}{result.shown('loss', 4):>18}"
            f"{f'{result.n_reached} of {len(result.runs)}':>9}{(times or ['–'])[0]:>11}"
        )

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
    steps, all_steps = f"{yardstick.steps:,}", f"{PUBLISHED['max_iters']:,}"
    loss = f", loss {yardstick.curve[-1].loss:.4f}" if yardstick.curve else ""
    done = f"{yardstick.name}: {steps} of {all_steps} steps in {yardstick.seconds:.1f} s{loss}"
    if (reached := yardstick.reached) is not None:
        return f"{done}; at most {PUBLISHED_LOSS} after {reached.step:,} steps and {reached.seconds:.1f} s"
    if yardstick.is_whole:
        return f"{done}; its loss was never {PUBLISHED_LOSS}, so > stands before the ratio"
    whole = f"{yardstick.seconds_to_target:.1f} s"
    return f"{done}\n  ≈: estimated; {all_steps} steps at this speed would take {whole} ({steps} were run)"


def _figures(yardstick: YardstickRun) -> dict[str, Any]:
    reached = yardstick.reached
    return {
        **yardstick._asdict(),
        "curve": [point._asdict() for point in yardstick.curve],
        "reached": None if reached is None else reached._asdict(),
        "published_loss": PUBLISHED_LOSS,
    }
