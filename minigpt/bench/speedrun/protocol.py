"""One run of the speedrun: the text, its split, and a track trained on the one part and measured on the other.

The first 90 % of the characters are trained on, the last 10 % are validated on, as nanoGPT cuts them. The loss is the
mean over every character of the validation split but the first, in windows of the context that do not overlap.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from minigpt.bench.speedrun.stopwatch import CurvePoint, Seconds, Stopwatch, TimedSplit
from minigpt.bench.speedrun.tracks import Track
from minigpt.files.paths import as_path
from minigpt.files.verified import sha256_of_file
from minigpt.runs import RunConfig, open_splits
from minigpt.runs.run import first_model
from minigpt.text import TokenDataset
from minigpt.text.corpora import SHAKESPEARE_SHA256
from minigpt.training import train
from minigpt.training.report.history import StepRow
from minigpt.training.report.loggers import Logger

CURVE_POINTS = 8  # of each run, for its curve


@dataclass(frozen=True)
class SpeedrunText:
    """The text that is learnt.

    Attributes:
        path: of the file; ``None`` for Tiny Shakespeare from the cache of downloads.
        sha256: of the file, in hexadecimal.
    """

    path: Path | None
    sha256: str

    @classmethod
    def of(cls, path: str | Path | None) -> "SpeedrunText":
        """The text in a file; ``None`` for Tiny Shakespeare.

        Raises:
            ValueError: if it is not a plain file, or can't be read.
        """
        if path is None:
            return cls(None, SHAKESPEARE_SHA256)  # what is downloaded is compared with it
        file = as_path(path, "text")
        return cls(file, sha256_of_file(file))

    @property
    def is_comparable(self) -> bool:
        """Whether it is Tiny Shakespeare to the byte."""
        return self.sha256 == SHAKESPEARE_SHA256

    @property
    def source(self) -> dict[str, Any]:
        """Fields of :class:`~minigpt.runs.Source`."""
        return {"corpus": "shakespeare"} if self.path is None else {"text": self.path}


@dataclass(frozen=True, kw_only=True)
class TrackRun:
    """One run of a track.

    Attributes:
        seed: of the weights and of the order of the text.
        set_up_seconds: reading the text, its tokens, the model.
        compile_seconds: what the first three steps took beyond the median step.
        seconds: of training: all steps, without compilation and evaluations.
        loss: after the last step, in nats per character over the whole validation split; ``inf`` if it diverged.
        curve: the losses on the way, the last one included.
        precision: that it was computed in; ``None`` if it diverged.
        compiled: whether its blocks were; ``None`` if it diverged.
    """

    seed: int
    set_up_seconds: float
    compile_seconds: float
    seconds: float
    loss: float
    curve: tuple[CurvePoint, ...]
    precision: str | None = None
    compiled: bool | None = None


def splits_of(config: RunConfig) -> tuple[int, TokenDataset, TokenDataset]:
    """The number of characters that there are, the training split and the validation split.

    Args:
        config: names the text and the context.
    """
    tokenizer, data, validation = open_splits(config)
    assert isinstance(data, TokenDataset) and isinstance(validation, TokenDataset)
    return tokenizer.vocab_size, data, validation


class _Bar:
    """A logger that moves a bar."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def log(self, row: StepRow) -> None:
        self.bar.set_postfix_str(f"loss {row['loss']:.3f}", refresh=False)
        self.bar.update()

    def close(self) -> None:
        self.bar.close()


def run_track(track: Track, text: SpeedrunText, seed: int, clock: Seconds, *, bar: bool = False) -> TrackRun:
    """Train a track once, and measure.

    Args:
        track: what to train.
        text: what it learns.
        seed: of the weights and of the order of the text.
        clock: returns seconds.
        bar: show a bar while it trains.

    Raises:
        KeyboardInterrupt: if it is stopped before its last step.
        ValueError: if the text is too short, or a setting can't be used.
    """
    started = clock()
    watched = {"seed": seed, "eval_every": max(1, track.steps // CURVE_POINTS), "checkpoint_every": 0}
    config = track.config(**text.source, **watched)
    vocab_size, data, validation = splits_of(config)
    plan = config.resolved(vocab_size=vocab_size)
    held_out, model = TimedSplit.of(validation, clock), first_model(plan)
    set_up = clock() - started
    watch = Stopwatch(held_out, clock)
    shown = tqdm(total=track.steps, desc=f"{track.name}, seed {seed}", disable=not bar, leave=False, unit="step")
    how = None
    loggers: list[Logger] = [watch, _Bar(shown)]
    with suppress(FloatingPointError):
        how = train(model, data, plan.training, validation=held_out, progress=False, loggers=loggers).config
        if len(watch.times.steps) < track.steps:
            raise KeyboardInterrupt
    loss = math.inf if how is None or not math.isfinite(watch.times.losses[-1][1]) else watch.times.losses[-1][1]
    return TrackRun(
        seed=seed,
        set_up_seconds=set_up,
        compile_seconds=watch.times.compile_seconds,
        seconds=watch.times.seconds,
        loss=loss,
        curve=watch.times.curve,
        precision=None if how is None else how.precision,
        compiled=None if how is None else how.compile is True,
    )
