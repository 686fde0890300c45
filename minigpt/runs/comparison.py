"""Training strategies side by side: the same data, the same budget of tokens, several seeds.

A difference between two runs means little: another seed would have moved both. So each strategy is run with several
seeds, and its figure is a mean with the spread of the seeds. The seeds are the same for all strategies.
"""

import dataclasses
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

from tqdm import tqdm

from minigpt.model import PRESETS, GPTConfig
from minigpt.runs.config import RunConfig
from minigpt.runs.epochs import steps_of
from minigpt.runs.recipes import recipe
from minigpt.runs.run import first_model
from minigpt.runs.splits import open_splits, tell_what_is_dropped
from minigpt.runs.trials import Comparison, Trial
from minigpt.settings import Mark, kinds, marked, nearest
from minigpt.text import Dataset
from minigpt.training import History, TrainConfig, train
from minigpt.training.execution.precision import Precision
from minigpt.training.processes.device import choose_device

EVALUATIONS = 5  # of each run, for its curve


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

    At Ctrl-C or SIGTERM the runs that are whole are returned; the one in hand is not counted.

    Raises:
        ValueError: if a setting or a value can't be compared or used.
        KeyboardInterrupt: if it is stopped before the first run is whole.
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
        tell_what_is_dropped(data, validation)
        return data, validation

    for strategy in strategies.values():
        _check_usable(strategy.resolved())
        splits(strategy.model.context_length)
    trials: dict[str, list[Trial]] = {name: [] for name in strategies}
    first = config.training.seed
    runs = [(seed, name) for seed in range(first, first + seeds) for name in strategies]
    for seed, name in tqdm(runs, unit="run", disable=not (progress and sys.stderr.isatty()), dynamic_ncols=True):
        plan = strategies[name].changed(seed=seed).resolved(vocab_size=tokenizer.vocab_size)
        trial = _trial(plan, *splits(plan.model.context_length))
        if trial is None:
            break
        trials[name].append(trial)
        if progress:
            tqdm.write(f"{name}, seed {seed}: {_outcome(trial)}")
    whole = [trial for each in trials.values() for trial in each]
    if not whole:
        raise KeyboardInterrupt
    return Comparison(
        trials={name: each for name, each in trials.items() if each},
        n_tokens=max(trial.n_tokens for trial in whole),
        floor=splits(config.model.context_length)[1].floor,
        n_missing=len(runs) - len(whole),
    )


def _check_usable(plan: RunConfig) -> None:
    """Refuse what this machine can't train, before an hour was spent on the others."""
    Precision(plan.training.precision, choose_device(plan.training.device))


def _outcome(trial: Trial) -> str:
    if not math.isfinite(trial.loss):
        return "diverged"
    speed = "" if trial.speed is None else f", {trial.speed} tokens/s"
    return f"validation {trial.loss:.4f}{speed}"


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


def _trial(plan: RunConfig, data: Dataset, validation: Dataset) -> Trial | None:
    """One run in memory; ``None`` if it was stopped before its last step."""
    settings = dataclasses.replace(
        plan.training, checkpoint_every=0, eval_every=-(-plan.training.steps // EVALUATIONS), tensorboard=False
    )
    n_tokens = plan.training.steps * _tokens_per_step(plan)
    try:
        history = train(first_model(plan), data, settings, validation=validation, progress=False)
    except FloatingPointError:
        return Trial(loss=math.inf, n_tokens=n_tokens)
    if history.rows[-1]["step"] < plan.training.steps - 1:
        return None
    if history.validation_loss is None or not math.isfinite(history.validation_loss):
        return Trial(loss=math.inf, n_tokens=n_tokens)
    _, speeds = history.column("tokens_per_second")
    low, middle, high = statistics.quantiles(speeds, n=4, method="inclusive") if len(speeds) > 1 else speeds * 3
    return Trial(
        loss=history.validation_loss,
        tokens_per_second=middle,
        speed_spread=(high - low) / 2,
        n_steps=len(speeds),
        n_tokens=n_tokens,
        curve=_curve(history, _tokens_per_step(plan)),
    )


def _curve(history: History, tokens_per_step: int) -> tuple[tuple[int, float], ...]:
    steps, losses = history.column("validation_loss")
    return tuple(((step + 1) * tokens_per_step, loss) for step, loss in zip(steps, losses, strict=True))


def _tokens_per_step(config: RunConfig) -> int:
    return config.training.batch_size * config.model.context_length
