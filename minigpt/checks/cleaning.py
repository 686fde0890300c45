"""Checks of the cleaning of texts."""

from typing import Any

import torch

from minigpt.checks.draw import Case, Draw, check


@check
def jaccard_similarity(function: Any, draw: Draw) -> Case:
    """Sets that overlap or not; one of them may be empty."""
    member = draw.ids(2, n := draw.size(1, 6), below=2)
    member[0, draw.integer(0, n - 1)] = 1
    a, b = ({i for i in range(n) if row[i]} for row in member)
    return {"a": member[0], "b": member[1], "n": n}, function(a, b)


@check
def minhash_estimate(function: Any, draw: Draw) -> Case:
    """Signatures that agree in some places."""
    s, t = draw.ids(2, k := draw.size(1, 6), below=3)
    return {"s": s, "t": t, "k": k}, torch.tensor(function(s.numpy(), t.numpy()))


@check
def lsh_candidate_probability(function: Any, draw: Draw) -> Case:
    """Any similarity, 0 and 1 among them."""
    s, r, b = draw.integer(0, 8) / 8, draw.size(), draw.size()
    return {"s": s, "r": r, "b": b}, function(s, r, b)
