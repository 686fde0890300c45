"""Checks of what keeps training stable: the loss scale and the spike score."""

from typing import Any

import torch

from minigpt.checks.draw import Case, Draw, check


@check
def loss_scale(function: Any, draw: Draw) -> Case:
    """Enough steps for the scale to rise, to fall and to stay at its minimum."""
    scale, streak, patience = 2.0 ** draw.integer(0, 2), 0, draw.integer(1, 4)
    finite = (draw.normal(20) > -1).int()
    given = {"s": scale, "f": finite, "N": patience}
    scales, streaks = [], []
    for is_finite in finite.tolist():
        scale, streak = function(scale, streak, finite=bool(is_finite), patience=patience)
        scales.append(scale)
        streaks.append(streak)
    return given, {"S": torch.tensor(scales).double(), "n": torch.tensor(streaks).double()}


@check
def spike_score(function: Any, draw: Draw) -> Case:
    """Losses in a row, with several decay rates."""
    before, x, memory = draw.normal(draw.size(2, 6)).double(), draw.normal().double(), draw.choice([0.5, 0.9, 1.0])
    usual = function(memory=memory)
    for y in before.tolist():
        usual.add(y)
    return {"x": x, "y": before, "beta": memory}, usual.score(x.item())
