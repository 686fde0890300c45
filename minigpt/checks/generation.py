"""Checks of the rules by which tokens are chosen."""

from typing import Any

from minigpt.checks.draw import Case, Draw, check


@check
def temperature(function: Any, draw: Draw) -> Case:
    """Temperatures below and above 1."""
    z, tau = draw.normal(draw.size(1, 6)), draw.choice([0.25, 0.8, 3.0])
    return {"z": z, "tau": tau}, function(z, tau)


@check
def top_k(function: Any, draw: Draw) -> Case:
    """Some probabilities are equal."""
    p = draw.sixteenths(draw.size(1, 6))
    k = draw.integer(1, len(p))
    return {"p": p, "k": k}, function(p, k)


@check
def top_p(function: Any, draw: Draw) -> Case:
    """A probability mass that is reached exactly, and one that is exceeded."""
    p, mass = draw.sixteenths(draw.size(1, 6)), draw.integer(1, 32) / 32
    return {"p": p, "rho": mass}, function(p, mass)


@check
def min_p(function: Any, draw: Draw) -> Case:
    """Shares that some probability has exactly."""
    p, share = draw.sixteenths(draw.size(1, 6)), draw.integer(1, 16) / 16
    return {"p": p, "mu": share}, function(p, share)


@check
def repetition_penalty(function: Any, draw: Draw) -> Case:
    """Logits of both signs, penalties below and above 1."""
    z, theta = draw.normal(draw.size(1, 6)), draw.choice([0.7, 1.3, 2.0])
    seen = draw.ids(len(z), below=2)
    return {"z": z, "s": seen, "theta": theta}, function(z, seen.bool(), theta)


@check
def logit_bias(function: Any, draw: Draw) -> Case:
    """Biases of both signs."""
    z = draw.normal(draw.size(1, 6))
    b = draw.normal(len(z))
    return {"z": z, "b": b}, function(z, b)


@check
def allowed_tokens(function: Any, draw: Draw) -> Case:
    """At least one token is allowed."""
    z = draw.normal(draw.size(1, 6))
    allowed = draw.ids(len(z), below=2)
    allowed[draw.integer(0, len(z) - 1)] = 1
    return {"z": z, "a": allowed}, function(z, allowed.bool())


@check
def beam_score(function: Any, draw: Draw) -> Case:
    """Penalties of both signs."""
    p, alpha = draw.probabilities(draw.size(2, 6)), draw.choice([-0.5, 0.7, 1.5])
    return {"p": p, "n": len(p), "alpha": alpha}, function(p.log(), alpha)


@check
def speculative_acceptance(function: Any, draw: Draw) -> Case:
    """Any two distributions."""
    p, q = draw.probabilities(2, draw.size(2, 6))
    return {"p": p, "q": q}, function(p, q)


@check
def speculative_residual(function: Any, draw: Draw) -> Case:
    """Two distributions that differ."""
    p, q = draw.probabilities(2, draw.size(2, 6))
    return {"p": p, "q": q}, function(p, q)


@check
def int8_weights(function: Any, draw: Draw) -> Case:
    """Rows of any scale."""
    weight = draw.normal(draw.size(), draw.size(1, 9)) * draw.choice([1.0, 0.01, 300.0])
    q, scales = function(weight)
    return {"W": weight}, {"s": scales, "q": q.to(weight.dtype)}
