"""What a comparison found: the trials of each strategy, their table and their curves."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minigpt.settings.language import folded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LEAST_TIMED = 20  # steps: the first ones also pay for allocations, and a quartile of a few is chance


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a strategy with one seed.

    Attributes:
        loss: on the whole validation split at the end, in nats per token; ``inf`` if the run diverged.
        tokens_per_second: of training, the median over the steps.
        speed_spread: half the interquartile range of the tokens per second over the steps.
        n_steps: steps that were timed.
        n_tokens: how many tokens it was to be trained on.
        curve: how many tokens were trained on, and the validation loss there.
    """

    loss: float
    tokens_per_second: float = math.nan
    speed_spread: float = math.nan
    n_steps: int = 0
    n_tokens: int = 0
    curve: tuple[tuple[int, float], ...] = ()

    @property
    def speed(self) -> str | None:
        """The tokens per second with their spread; ``None`` after fewer steps than tell anything about a speed."""
        if self.n_steps < LEAST_TIMED:
            return None
        return f"{self.tokens_per_second:,.0f} ± {self.speed_spread:,.0f}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The trials of all strategies.

    Attributes:
        trials: from the name of a strategy, such as ``"optimizer=muon"``, to its trials, one for each seed.
        n_tokens: the most tokens that a run was to be trained on.
        floor: the least expected loss that a model can have, in nats per token; ``None`` where nobody knows it.
        n_missing: runs that were not whole when the comparison was stopped; a strategy without a whole run is left out.
    """

    trials: dict[str, list[Trial]]
    n_tokens: int
    floor: float | None = None
    n_missing: int = 0

    def loss(self, name: str) -> tuple[float, float]:
        """The mean of the final losses of a strategy, and their standard deviation (0 for one seed)."""
        losses = [trial.loss for trial in self.trials[name]]
        if not all(map(math.isfinite, losses)):
            return math.inf, math.nan
        return statistics.mean(losses), statistics.stdev(losses) if len(losses) > 1 else 0.0

    @property
    def best(self) -> str:
        """The name of the strategy with the lowest mean loss."""
        return min(self.trials, key=lambda name: self.loss(name)[0])

    def plot(self) -> "Figure":
        """The validation loss of each strategy against the tokens trained on, with the spread of the seeds.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        import numpy as np

        from minigpt.plots import PALETTE, new_figure

        figure, (axes,) = new_figure()
        for i, (name, trials) in enumerate(self.trials.items()):
            colour, style = PALETTE[i % len(PALETTE)], ("-", "--", ":")[i // len(PALETTE) % 3]
            curves = [trial.curve for trial in trials if trial.curve]
            if len(curves) < len(trials):
                axes.plot([], [], style, color=colour, label=f"{name}: diverged")
                continue
            tokens, losses = np.array(curves).transpose(2, 0, 1)
            mean, spread = losses.mean(0), losses.std(0, ddof=1) if len(losses) > 1 else np.zeros(losses.shape[1])
            axes.plot(tokens[0], mean, style, color=colour, marker="o", markersize=3, label=f"{name}: {mean[-1]:.3f}")
            axes.fill_between(tokens[0], mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
        if self.floor is not None:
            axes.axhline(self.floor, color="black", linestyle=":", label=f"floor: {self.floor:.3f}")
        axes.set(xlabel="tokens trained on", ylabel="validation loss (nats per token)")
        axes.legend(frameon=False)
        return figure

    def __str__(self) -> str:
        tokens = {name: trials[0].n_tokens for name, trials in self.trials.items()}
        alike, width = len(set(tokens.values())) == 1, max(map(len, self.trials))
        head = "" if alike else f"{'tokens':>14}"
        lines = [f"{'':{width}}  {'validation loss':>17}  {'tokens/s':>17}{head}"]
        for name, trials in self.trials.items():
            shown = "" if alike else f"{tokens[name]:14,}"
            is_best = len(self.trials) > 1 and name == self.best and math.isfinite(self.loss(name)[0])
            lowest = "  lowest" if is_best else ""
            lines.append(f"{name:{width}}  {self._loss(name):>17}  {_speed(trials):>17}{shown}{lowest}")
        seeds = max(map(len, self.trials.values()))
        notes = ["nats per token on the whole validation split"]
        notes.append("one seed: its spread is unknown" if seeds == 1 else f"mean ± standard deviation of {seeds} seeds")
        notes += [f"{self.n_tokens:,} tokens each"] if alike else []
        notes += [_speed_note([trial for trials in self.trials.values() for trial in trials])]
        notes += [] if self.floor is None else [f"no model can expect less than {self.floor:.4f}"]
        whole = sum(map(len, self.trials.values()))
        missing = [f"stopped: {whole} of {whole + self.n_missing} runs are whole, and only they are counted"]
        return "\n".join([*lines, folded("; ".join(notes)), *(missing if self.n_missing else [])])

    def _loss(self, name: str) -> str:
        """The loss of a strategy in the table; with one seed it has no spread."""
        trials, (mean, spread) = self.trials[name], self.loss(name)
        if diverged := sum(not math.isfinite(trial.loss) for trial in trials):
            return f"{diverged} of {len(trials)} diverged"
        return f"{mean:.4f}" if len(trials) == 1 else f"{mean:.4f} ± {spread:.4f}"


def _speed(trials: Sequence[Trial]) -> str:
    """The tokens per second of a strategy: of its trials the one in the middle."""
    known = sorted((trial for trial in trials if _is_timed(trial)), key=lambda trial: trial.tokens_per_second)
    return (known[len(known) // 2].speed or "–") if known else "–"


def _speed_note(trials: Sequence[Trial]) -> str:
    steps = [trial.n_steps for trial in trials if _is_timed(trial)]
    if not steps:
        return f"tokens/s needs {LEAST_TIMED} steps"
    return f"tokens/s: median ± half the interquartile range of {min(steps):,} steps"


def _is_timed(trial: Trial) -> bool:
    return math.isfinite(trial.loss) and trial.speed is not None
