"""minigpt/training/execution/timing.py: turns, the least time of each way, and an end to them."""

from minigpt.training.execution import timing
from minigpt.training.execution.timing import seconds_in_turns


def ways_by_clock(monkeypatch, **seconds):
    """Ways that move the clock on by their seconds, a list each, and the order in which they ran."""
    now, ran = [0.0], []

    def way(name):
        ran.append(name)
        now[0] += seconds[name][ran.count(name) - 1]

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return {name: lambda name=name: way(name) for name in seconds}, ran


def test_the_ways_take_turns_and_the_least_time_of_each_counts(monkeypatch):
    ways, ran = ways_by_clock(monkeypatch, a=[5.0, 1.0, 2.0], b=[3.0, 4.0, 3.5])
    assert seconds_in_turns(ways, 3) == {"a": 1.0, "b": 3.0}
    assert ran == ["a", "b"] * 3


def test_after_some_seconds_no_turn_starts_but_each_way_has_had_one(monkeypatch):
    ways, ran = ways_by_clock(monkeypatch, a=[1.5, 0.5, 0.125], b=[0.25, 0.125, 0.125])
    assert seconds_in_turns(ways, 3, at_most=2.0) == {"a": 0.5, "b": 0.125} and len(ran) == 4
    ways, ran = ways_by_clock(monkeypatch, a=[9.0], b=[8.0])
    assert seconds_in_turns(ways, 3, at_most=2.0) == {"a": 9.0, "b": 8.0}
