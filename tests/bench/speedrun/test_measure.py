"""minigpt/bench/speedrun/measure.py: runs in turn, and what is left of them at Ctrl-C."""

import dataclasses

import pytest

from minigpt.bench.speedrun import measure, measure_speedrun
from minigpt.bench.speedrun.yardstick import Yardstick


@pytest.fixture
def order(monkeypatch):
    """What was trained, in order; the yardstick takes no time."""
    done = []

    def advance(self, steps, *, bar=False):
        done.append(steps)
        self.times.steps += [1.0] * (steps - len(self.times.steps))

    monkeypatch.setattr(Yardstick, "advance", advance)
    run_track = measure.run_track

    def run(track, text, seed, clock, *, bar):
        done.append((track.name, seed))
        return run_track(track, text, seed, clock, bar=bar)

    monkeypatch.setattr(measure, "run_track", run)
    return done


def test_the_yardstick_takes_turns_with_the_runs_of_the_first_track(tiny_text, tiny_track, order):
    other = dataclasses.replace(tiny_track, name="other", steps=3)
    tall = {"text": tiny_text.parent / "tall.txt", "yardstick_steps": 30}
    tall["text"].write_text(tiny_text.read_text(encoding="utf-8") * 2, encoding="utf-8")
    report = measure_speedrun([tiny_track, other], seeds=2, **tall)
    assert order == [10, ("tiny", 0), 20, ("tiny", 1), 30, ("other", 0), ("other", 1)]
    assert [(result.track.name, len(result.runs)) for result in report.tracks] == [("tiny", 2), ("other", 2)]
    assert report.n_missing == 0 and report.yardsticks[0].steps == 30


def test_seeds_are_0_1_and_so_on_and_each_gives_another_loss(tiny_text, tiny_track):
    report = measure_speedrun([tiny_track], seeds=2, text=tiny_text, yardstick_steps=0)
    runs = report.tracks[0].runs
    assert [run.seed for run in runs] == [0, 1] and runs[0].loss != runs[1].loss
    assert report.yardsticks == ()


def test_at_an_interrupt_what_is_whole_is_returned(tiny_text, tiny_track, monkeypatch):
    run_track = measure.run_track

    def stopped(track, text, seed, clock, *, bar):
        if seed == 1:
            raise KeyboardInterrupt
        return run_track(track, text, seed, clock, bar=bar)

    monkeypatch.setattr(measure, "run_track", stopped)
    report = measure_speedrun([tiny_track], seeds=3, text=tiny_text, yardstick_steps=0)
    assert len(report.tracks[0].runs) == 1 and report.n_missing == 2


def test_an_interrupt_before_anything_is_whole_is_raised(tiny_text, tiny_track, monkeypatch):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "run_track", stopped)
    with pytest.raises(KeyboardInterrupt):
        measure_speedrun([tiny_track], text=tiny_text, yardstick_steps=0)


def test_a_training_that_is_stopped_midway_is_an_interrupt(tiny_text, tiny_track, monkeypatch):
    from minigpt.bench.speedrun import protocol

    train = protocol.train

    def short(model, data, config, **options):
        return train(model, data, dataclasses.replace(config, steps=5), **options)

    monkeypatch.setattr(protocol, "train", short)
    with pytest.raises(KeyboardInterrupt):
        measure_speedrun([tiny_track], text=tiny_text, yardstick_steps=0)


@pytest.mark.parametrize("wrong", [{"seeds": 0}, {"yardstick_steps": 2001}, {"yardstick_steps": -1}, {"tracks": []}])
def test_wrong_numbers_are_refused(tiny_text, tiny_track, wrong):
    with pytest.raises(ValueError, match="expected a track, a seed, and 0 to 2000 steps"):
        measure_speedrun(**{"tracks": [tiny_track], "text": tiny_text, **wrong})


def test_a_line_is_printed_for_each_run(tiny_text, tiny_track, capsys):
    measure_speedrun([tiny_track], text=tiny_text, yardstick_steps=0, progress=True)
    assert capsys.readouterr().out.startswith("track tiny, seed 0: ")
