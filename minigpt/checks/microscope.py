"""Checks of the microscope: the logit lens, attribution, patching, and what a head's weights say."""

from typing import Any

from torch import nn

from minigpt.checks.draw import Case, Draw, check, literal
from minigpt.model import LayerNorm


@check
def logit_lens(function: Any, draw: Draw) -> Case:
    """A LayerNorm over a few streams."""
    n_vocab, width = draw.size(1, 5), draw.size(2, 5)
    h, head = draw.normal(draw.size(), draw.size(), width), draw.normal(n_vocab, width)
    norm: nn.Module = draw.filled(LayerNorm(width))
    return {"h": h, "N": literal(norm), "U": head}, function(h, norm, head)


@check
def direct_logit_attribution(function: Any, draw: Draw) -> Case:
    """With the mean taken off, and without."""
    n_vocab, width, centred = draw.size(2, 5), draw.size(2, 6), draw.choice([True, False])
    parts, gain, head = draw.normal(draw.size(), width), draw.normal(width), draw.normal(n_vocab, width)
    scale = draw.normal(1).abs() + 1
    a, b = draw.integer(0, n_vocab - 1), draw.integer(0, n_vocab - 1)
    given = {"c": parts, "s": scale[0], "g": gain, "m": int(centred), "U": head, "a": a + 1, "b": b + 1}
    return given, {"d": function(parts, scale, gain, head[a] - head[b], centred=centred)}


@check
def patching_recovery(function: Any, draw: Draw) -> Case:
    """Any three metrics."""
    p, k, c = draw.normal(), draw.normal(), draw.normal()
    return {"p": p, "k": k, "c": c}, function(p, k, c)


@check
def previous_token_score(function: Any, draw: Draw) -> Case:
    """Weights of any kind."""
    length = draw.size(2, 6)
    a = draw.normal(draw.size(), length, length)
    return {"a": a, "T": length}, function(a)


@check
def duplicate_token_score(function: Any, draw: Draw) -> Case:
    """With tokens that repeat once, several times, or not to the end."""
    length = draw.size(3, 7)
    a, period = draw.normal(draw.size(), length, length), draw.integer(2, length - 1)
    return {"a": a, "P": period, "T": length}, function(a, period)


@check
def induction_score(function: Any, draw: Draw) -> Case:
    """As the score of duplicate tokens."""
    return duplicate_token_score(function, draw)


@check
def in_context_gain(function: Any, draw: Draw) -> Case:
    """Losses of any kind."""
    period = draw.integer(2, 5)
    losses = draw.normal(2 * period)
    return {"l": losses, "P": period}, function(losses, period)


@check
def q_composition(function: Any, draw: Draw) -> Case:
    """A later head's scores and an earlier head's matrix, of any rank."""
    later, earlier = (draw.normal(width, width) for width in (draw.size(2, 4),) for _ in range(2))
    return {"M": later, "O": earlier, "D": len(later)}, function(later, earlier)


@check
def k_composition(function: Any, draw: Draw) -> Case:
    """As for queries."""
    return q_composition(function, draw)


@check
def v_composition(function: Any, draw: Draw) -> Case:
    """Two matrices of what heads write."""
    later, earlier = (draw.normal(width, width) for width in (draw.size(2, 4),) for _ in range(2))
    return {"N": later, "O": earlier, "D": len(later)}, function(later, earlier)


@check
def cosine_similarity(function: Any, draw: Draw) -> Case:
    """Vectors and another one."""
    width = draw.size(1, 5)
    vectors, query = draw.normal(draw.size(1, 5), width), draw.normal(width)
    return {"U": vectors, "q": query}, function(vectors, query)
