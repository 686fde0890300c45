"""Checks of what the exercises alone compute: a decoding step, a gradient from parts, a low-rank update."""

from typing import Any

from minigpt.checks.draw import Case, Draw, check


@check
def kv_cache_step(function: Any, draw: Draw) -> Case:
    """With and without a past."""
    x, width, n_past = draw.normal(draw.size()), draw.size(), draw.size(0, 3)
    given = {"x": x, **{name: draw.normal(len(x), width) for name in ("W_Q", "W_K", "W_V")}}
    given |= {name: draw.normal(n_past, width) for name in "kv"}
    output, keys, values = function(*given.values())
    return given, {"k_prime": keys, "v_prime": values, "o": output}


@check
def accumulated_gradient(function: Any, draw: Draw) -> Case:
    """Micro-batches of any size."""
    gradients = draw.normal(draw.size(), draw.size())
    counts = [draw.size(1, 9) for _ in gradients]
    return {"g": gradients, "n": counts}, function(list(gradients), counts)


@check
def lora_linear(function: Any, draw: Draw) -> Case:
    """Ranks below and above the widths."""
    n_in, n_out, rank = draw.size(), draw.size(), draw.size(1, 3)
    x, weight = draw.normal(draw.size(), n_in), draw.normal(n_out, n_in)
    a, b, alpha = draw.normal(rank, n_in), draw.normal(n_out, rank), draw.choice([0.5, 4.0])
    return {"x": x, "W": weight, "A": a, "B": b, "alpha": alpha}, function(x, weight, a, b, alpha)
