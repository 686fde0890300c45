"""minigpt/bench/speedrun/yardstick.py: how it trains, and when it reached its target."""

import torch
from torch import nn

from minigpt.bench.speedrun.nanogpt import RatedModel, nanogpt_rate
from minigpt.bench.speedrun.stopwatch import CurvePoint
from minigpt.bench.speedrun.yardstick import Yardstick, YardstickRun
from minigpt.text import TokenDataset


class Counts(nn.Module):
    """Logits that do not depend on the ids."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(5))

    def forward(self, ids):
        return self.logits.expand(*ids.shape, 5)


def yardstick(clock, seen):
    def step(inputs, targets, rate):
        clock.now += 2
        seen.append((inputs, targets, rate))

    data, validation = (TokenDataset(torch.arange(n) % 5, 64, vocab_size=5) for n in (301, 131))
    return Yardstick(RatedModel("some", Counts(), step), data, validation, clock)


def test_it_is_evaluated_every_50_steps_and_where_it_stops_and_that_is_no_training_time(ticking):
    some = yardstick(ticking, [])
    some.advance(60)
    some.advance(60)
    some.advance(120)
    result = some.result
    assert [(point.step, point.seconds) for point in result.curve] == [(n, 2 * n) for n in (50, 60, 100, 120)]
    assert (result.steps, result.seconds, ticking.now) == (120, 240, 240 + 4 * 100)
    torch.testing.assert_close([point.loss for point in result.curve], [torch.tensor(5.0).log().item()] * 4)


def test_batches_are_12_windows_at_random_places_and_rates_those_of_nanogpt(ticking):
    seen = []
    yardstick(ticking, seen).advance(3)
    assert [rate for *_, rate in seen] == [nanogpt_rate(t) for t in range(3)]
    inputs, targets, _ = seen[0]
    assert inputs.shape == targets.shape == (12, 64)
    assert torch.equal(targets[:, :-1], inputs[:, 1:]) and torch.equal(targets, (inputs + 1) % 5)
    assert not torch.equal(inputs, seen[1][0])


CURVE = (CurvePoint(50, 5.0, 2.0), CurvePoint(100, 10.0, 1.88), CurvePoint(150, 15.0, 1.9))


def test_the_target_is_reached_where_the_loss_first_is_at_most_that():
    run = YardstickRun("some", 150, 15.0, CURVE)
    assert run.reached == CURVE[1] and run.seconds_to_target == 10.0


def test_a_run_that_was_stopped_before_is_extended_to_2000_steps():
    run = YardstickRun("some", 50, 5.0, CURVE[:1])
    assert run.reached is None and not run.is_whole and run.seconds_to_target == 200.0
