"""Checks of the fairness probes and of calibration."""

from typing import Any

import torch

from minigpt.checks.draw import Case, Draw, check


@check
def counterfactual_gap(function: Any, draw: Draw) -> Case:
    """Any number of tokens."""
    a = draw.normal(draw.size(), draw.size())
    b, x = draw.normal(*a.shape), draw.ids(len(a), below=a.shape[1])
    return {"a": a, "b": b, "x": x + 1}, function(a, b, x)


@check
def sign_flip_p(function: Any, draw: Draw) -> Case:
    """Eighths, whose sums are exact, so that equality counts; all of them 0 among them."""
    g = (draw.ids(draw.size(1, 4), below=17).to(draw.wide) - 8) / 8
    g = draw.choice([g, g, torch.zeros_like(g)])
    s = 1 - 2 * draw.ids(draw.size(1, 6), len(g), below=2)
    return {"g": g, "s": s}, function(g, s)


@check
def holm(function: Any, draw: Draw) -> Case:
    """In any order, large ones and equal ones among them."""
    p = draw.ids(draw.size(1, 5), below=17).to(draw.wide) / draw.choice([16, 64])
    order = torch.randperm(len(p), generator=draw.generator)
    corrected = torch.empty_like(p)
    corrected[order] = function(p.sort().values[order])
    return {"p": p.sort().values}, corrected


@check
def expected_calibration_error(function: Any, draw: Draw) -> Case:
    """Confidences on the borders of bins among them."""
    n, bins = draw.size(1, 6), draw.choice([1, 2, 4, 8])
    c = (1 + draw.ids(n, below=16)).to(draw.wide) / 16
    y = draw.ids(n, below=2)
    return {"c": c, "y": y, "K": bins}, function(c, y, bins)
