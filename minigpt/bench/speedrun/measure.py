"""The speedrun: tracks and yardsticks trained in turn, on one text and by one clock."""

import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from tqdm import tqdm

from minigpt.bench.speedrun import words
from minigpt.bench.speedrun.host import describe_host
from minigpt.bench.speedrun.nanogpt import PUBLISHED, nanogpt_peer, restated
from minigpt.bench.speedrun.protocol import SpeedrunText, TrackRun, run_track, splits_of
from minigpt.bench.speedrun.report import SpeedrunReport, TrackResult
from minigpt.bench.speedrun.stopwatch import Seconds
from minigpt.bench.speedrun.tracks import TRACKS, Track
from minigpt.bench.speedrun.yardstick import Yardstick
from minigpt.runs import RunConfig


def measure_speedrun(
    tracks: Sequence[Track] = tuple(TRACKS.values()),
    *,
    seeds: int = 1,
    text: str | Path | None = None,
    yardstick_steps: int = PUBLISHED["max_iters"],
    peer_checkout: str | Path | None = None,
    progress: bool = False,
    clock: Seconds = time.perf_counter,
) -> SpeedrunReport:
    """Measure the time in which each track reaches its loss on Tiny Shakespeare, on the CPU.

    The runs of the first track and the yardstick take turns, so that a machine that slows down slows both down. At
    Ctrl-C what is done is returned.

    Args:
        tracks: what to train; by default all of :data:`TRACKS`.
        seeds: how often each is trained: with seed 0, 1, …
        text: a file with the text; ``None`` downloads Tiny Shakespeare once. The figures of another text can't be
            compared with those of others.
        yardstick_steps: how many of the 2,000 updates of nanoGPT's command are made; 0 for no yardstick.
        peer_checkout: a checkout of nanoGPT, whose ``model.py`` is run as a second yardstick.
        progress: print a line for each run, and show a bar where there is a terminal.
        clock: returns seconds.

    Raises:
        ValueError: if ``seeds`` or ``yardstick_steps`` is out of range, there is no track, the text can't be read or is
            too short, or the checkout has no ``model.py``.
        KeyboardInterrupt: if it is stopped before anything is whole.
    """
    if not tracks or seeds < 1 or not 0 <= yardstick_steps <= PUBLISHED["max_iters"]:
        raise ValueError(
            f"got {len(tracks)} tracks, seeds={seeds} and yardstick_steps={yardstick_steps}; expected a track, a seed, "
            f"and 0 to {PUBLISHED['max_iters']} steps of the yardstick"
        )
    source = SpeedrunText.of(text)
    yardsticks = _yardsticks(source, peer_checkout, clock) if yardstick_steps else []
    runs: dict[str, list[TrackRun]] = {track.name: [] for track in tracks}
    bars = progress and sys.stderr.isatty()

    def advance(steps: int) -> None:
        for each in yardsticks:
            each.advance(steps, bar=bars)

    try:
        for track, seed in product(tracks, range(seeds)):
            if track is tracks[0]:
                advance(yardstick_steps * (seed + 1) // (seeds + 1))
            runs[track.name].append(run_track(track, source, seed, clock, bar=bars))
            if progress:
                tqdm.write(_line(track, runs[track.name][-1]))
            if track is tracks[0] and seed == seeds - 1:
                advance(yardstick_steps)
    except KeyboardInterrupt:
        if not any(runs.values()) and not any(each.times.steps for each in yardsticks):
            raise
    return SpeedrunReport(
        host=describe_host(),
        text=source,
        tracks=tuple(TrackResult(track, tuple(runs[track.name])) for track in tracks if runs[track.name]),
        yardsticks=tuple(each.result for each in yardsticks),
        n_missing=len(tracks) * seeds - sum(map(len, runs.values())),
    )


def _yardsticks(text: SpeedrunText, peer_checkout: str | Path | None, clock: Seconds) -> list[Yardstick]:
    config = RunConfig.of(**text.source, context_length=PUBLISHED["block_size"])
    vocab_size, data, validation = splits_of(config)
    contenders = [restated(data)]
    if peer_checkout is not None:
        contenders.append(nanogpt_peer(peer_checkout, vocab_size))
    return [Yardstick(each, data, validation, clock) for each in contenders]


def _line(track: Track, run: TrackRun) -> str:
    compiled = words.COMPILED.spoken() if run.compiled else ""
    how = "" if run.precision is None else words.IN.spoken().format(run.precision, compiled)
    return words.RUN.spoken().format(track.name, run.seed, run.seconds, how, run.loss)
