"""Checks of what generation computes besides the rules of sampling."""

from typing import Any

from minigpt.checks.draw import Case, Draw, check


@check
def int8_weights(function: Any, draw: Draw) -> Case:
    """Rows of any scale."""
    weight = draw.normal(draw.size(), draw.size(1, 9)) * draw.choice([1.0, 0.01, 300.0])
    q, scales = function(weight)
    return {"W": weight}, {"s": scales, "q": q.to(weight.dtype)}
