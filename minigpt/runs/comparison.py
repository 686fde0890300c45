"""Training strategies side by side: the same data, the same budget of tokens, several seeds.

A difference between two runs means little: another seed would have moved both. So each strategy is run with several
seeds, and its figure is a mean with the spread of the seeds. The seeds are the same for all strategies.
"""

import dataclasses
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from minigpt.model import PRESETS, GPTConfig
from minigpt.runs.config import RunConfig
from minigpt.runs.recipes import recipe
from minigpt.runs.run import first_model, steps_of
from minigpt.runs.splits import open_splits
from minigpt.settings import Mark, kinds, marked, nearest
from minigpt.text import Dataset
from minigpt.training import History, TrainConfig, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVALUATIONS = 5  # of each run, for its curve


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a strategy with one seed.

    Attributes:
        loss: on the whole validation split at the end, in nats per token; ``inf`` if the run diverged.
        tokens_per_second: of training, the median over the steps.
        curve: how many tokens were trained on, and the validation loss there.
    """

    loss: float
    tokens_per_second: float = math.nan
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The trials of all strategies.

    Attributes:
        trials: from the name of a strategy, such as ``"optimizer=muon"``, to its trials, one for each seed.
        n_tokens: how many tokens each run was trained on, about.
        floor: the least expected loss that a model can have, in nats per token; ``None`` where nobody knows it.
    """

    trials: dict[str, list[Trial]]
    n_tokens: int
    floor: float | None = None

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
        width = max(map(len, self.trials))
        lines = [f"{'':{width}}  {'validation loss':>17}  {'tokens/s':>8}"]
        for name, trials in self.trials.items():
            mean, spread = self.loss(name)
            diverged = sum(not math.isfinite(trial.loss) for trial in trials)
            loss = f"{diverged} of {len(trials)} diverged" if diverged else f"{mean:.4f} ± {spread:.4f}"
            speeds = [trial.tokens_per_second for trial in trials if math.isfinite(trial.loss)]
            speed = f"{statistics.median(speeds):,.0f}" if speeds else "–"
            lines.append(f"{name:{width}}  {loss:>17}  {speed:>8}{'  lowest' if name == self.best else ''}")
        seeds = len(next(iter(self.trials.values())))
        note = "one seed: its spread is unknown" if seeds == 1 else f"mean ± standard deviation of {seeds} seeds"
        floor = "" if self.floor is None else f"; no model can expect less than {self.floor:.4f}"
        lines.append(f"nats per token on the whole validation split; {note}; {self.n_tokens:,} tokens each{floor}")
        return "\n".join(lines)


def compare(
    switches: Mapping[str, Sequence[Any]], config: RunConfig | None = None, *, seeds: int = 3, progress: bool = True
) -> Comparison:
    """Train with each combination of the switches, and measure.

    Every run learns from the same number of tokens: where a switch changes how many an update has, the number of
    updates follows. Nothing is written to disk.

    Args:
        switches: from settings to the values to compare: ``{"optimizer": ["adamw", "muon"]}``. A setting is any field
            of the model or the training, "preset" or "recipe". Several are combined in every way.
        config: everything else; ``None`` means ``RunConfig()``.
        seeds: how often each is run: with the configuration's seed, the next one, …
        progress: print a line for each run, and show a bar where there is a terminal.

    Raises:
        ValueError: if a setting or a value can't be compared or used.
    """
    config = RunConfig() if config is None else config
    if seeds < 1:
        raise ValueError(f"seeds={seeds} must be at least 1")
    _check_switches(switches)
    tokenizer, data, _ = open_splits(config)
    if (steps := steps_of(config, data)) is not None:
        config = config.changed(steps=steps, epochs=None)
    strategies = dict(_strategies(switches, config))

    @cache
    def splits(context: int) -> tuple[Dataset, Dataset]:
        _, data, validation = open_splits(config.changed(context_length=context), tokenizer)
        return data, validation

    trials: dict[str, list[Trial]] = {name: [] for name in strategies}
    first = config.training.seed
    runs = [(seed, name) for seed in range(first, first + seeds) for name in strategies]
    for seed, name in tqdm(runs, unit="run", disable=not (progress and sys.stderr.isatty()), dynamic_ncols=True):
        plan = strategies[name].changed(seed=seed).resolved(vocab_size=tokenizer.vocab_size)
        trials[name].append(trial := _trial(plan, *splits(plan.model.context_length)))
        if progress:
            tqdm.write(f"{name}, seed {seed}: validation {trial.loss:.4f}, {trial.tokens_per_second:,.0f} tokens/s")
    n_tokens = config.training.steps * _tokens_per_step(config)
    return Comparison(trials=trials, n_tokens=n_tokens, floor=splits(config.model.context_length)[1].floor)


def comparable() -> list[str]:
    """What can be compared: what decides the model and its training, but not what is read, watched or kept."""
    model = [name for name in kinds(GPTConfig) if name != "vocab_size"]
    kept = marked(TrainConfig, Mark.WATCHED) | {"seed", "strategy"}
    return ["preset", "recipe", *model, *(name for name in kinds(TrainConfig) if name not in kept)]


def check_comparable(name: str) -> None:
    """Refuse what is not among :func:`comparable`.

    Raises:
        ValueError: naming the nearest that is, or all.
    """
    if name not in (known := comparable()):
        near = nearest(name, known) or f"; choose from {', '.join(known)}"
        raise ValueError(f"{name!r} can't be compared{near}")


def _check_switches(switches: Mapping[str, Sequence[Any]]) -> None:
    if not switches:
        raise ValueError("nothing to compare; name a setting and its values: optimizer=adamw,muon")
    for name, values in switches.items():
        check_comparable(name)
        if not values:
            raise ValueError(f"{name} has no values to compare")


def _strategies(switches: Mapping[str, Sequence[Any]], config: RunConfig) -> Iterator[tuple[str, RunConfig]]:
    """The configuration of each combination, by its name; each is validated before anything is trained."""
    budget = config.training.steps * _tokens_per_step(config)
    for values in product(*switches.values()):
        changes = dict(zip(switches, values, strict=True))
        strategy = _changed(config, changes)
        if "steps" not in switches:
            strategy = strategy.changed(steps=max(1, round(budget / _tokens_per_step(strategy))))
        strategy.resolved()
        yield ", ".join(f"{name}={value}" for name, value in changes.items()), strategy


def _changed(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """A preset first, then a recipe, then fields by name."""
    fields = dict(changes)
    preset, name = fields.pop("preset", None), fields.pop("recipe", None)
    if name is not None:
        chosen = recipe(name)
        if chosen.source.get("documents", False) != config.source.documents:
            raise ValueError(f"recipe={name!r} reads the text in another way, so its loss is of other tokens")
        fields = {**chosen.model, **chosen.training, **fields}
    if preset is not None:
        shape = GPTConfig.preset(preset)
        fields = {key: getattr(shape, key) for key in PRESETS[preset] if key != "vocab_size"} | fields
    return config.changed(**fields)


def _trial(plan: RunConfig, data: Dataset, validation: Dataset) -> Trial:
    """One run in memory."""
    settings = dataclasses.replace(
        plan.training, checkpoint_every=0, eval_every=-(-plan.training.steps // EVALUATIONS), tensorboard=False
    )
    try:
        history = train(first_model(plan), data, settings, validation=validation, progress=False)
    except FloatingPointError:
        return Trial(loss=math.inf)
    assert history.validation_loss is not None
    return Trial(
        loss=history.validation_loss,
        tokens_per_second=statistics.median(history.column("tokens_per_second")[1]),
        curve=_curve(history, _tokens_per_step(plan)),
    )


def _curve(history: History, tokens_per_step: int) -> tuple[tuple[int, float], ...]:
    steps, losses = history.column("validation_loss")
    return tuple(((step + 1) * tokens_per_step, loss) for step, loss in zip(steps, losses, strict=True))


def _tokens_per_step(config: RunConfig) -> int:
    return config.training.batch_size * config.model.context_length
