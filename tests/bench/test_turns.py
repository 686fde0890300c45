"""minigpt/bench/turns.py: who has a turn when, and who has none. Times themselves are not asserted."""

import pytest
import torch

from minigpt.bench import turns


def test_each_contender_has_its_turn_in_each_round():
    calls = []
    contenders = {name: lambda name=name: calls.append(name) or len(calls) for name in "abc"}
    assert turns.take_turns(contenders, 2) == {"a": [1, 4], "b": [2, 5], "c": [3, 6]}
    assert calls == list("abcabc")


def test_without_a_round_there_is_nothing_to_measure():
    with pytest.raises(ValueError, match="got rounds=0; expected at least 1"):
        turns.take_turns({}, 0)


def test_what_fails_when_it_is_made_or_first_called_is_left_out_with_the_first_line_of_the_reason():
    def unmade():
        raise ImportError("no such module\nmore")

    def failing():
        raise RuntimeError

    ready, skipped = turns.that_run({"good": lambda: lambda: 1, "unmade": unmade, "failing": lambda: failing})
    assert [run() for run in ready.values()] == [1]
    assert skipped == {"unmade": "skipped: no such module", "failing": "skipped: RuntimeError"}


def test_a_mistake_in_a_contender_is_an_error():
    with pytest.raises(ZeroDivisionError):
        turns.that_run({"wrong": lambda: lambda: 1 / 0})


def test_a_quick_function_is_called_as_often_as_fills_its_turn(monkeypatch):
    calls, now = [], [0.0]

    def advance():
        calls.append(None)
        now[0] += 0.5

    monkeypatch.setattr(turns.time, "perf_counter", lambda: now[0])
    measure = turns.stopwatch(advance, at_least=2.0)
    assert (len(calls), measure(), len(calls)) == (1, 0.5, 5)
    assert turns.stopwatch(advance)() == 0.5 and len(calls) == 6  # no warm-up where no length is asked for


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    # a machine that slows down by 10 for one round changes both times of it, and no ratio
    assert turns.median_ratio([2.0, 20.0, 2.2], [1.0, 10.0, 1.0]) == 2.0


def test_the_device_is_waited_for(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    turns.seconds(lambda: waited.append("called"), torch.device("cuda"), repeats=2)
    assert waited == [torch.device("cuda"), "called", "called", torch.device("cuda")]
    turns.synchronize(turns.CPU)
    assert len(waited) == 4
