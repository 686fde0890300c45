"""Checks of optimizers, gradient clipping, learning-rate schedules and weight averages."""

from typing import Any

import torch
from torch import Tensor, nn

from minigpt import equations
from minigpt.checks.draw import Case, Draw, check
from minigpt.equations.formula import spell
from minigpt.training.optim.orthogonal import POLYNOMIALS


def _updated(function: Any, draw: Draw, start: dict[str, Tensor], t: int = 1, **settings: Any) -> dict[str, Tensor]:
    """The parameters ``theta`` and their state after update ``t`` with the gradient ``g``."""
    parameter = nn.Parameter(start["theta"].clone())
    optimizer = function([parameter], **settings, implementation=draw.choice(["formula", "fast"]))
    state = optimizer.state_of(parameter)
    for name, value in state.items():
        state[name] = value + t - 1 if name == "step" else start[name].clone()
    parameter.grad = start["g"].clone()
    optimizer.step()
    after = {"theta_t": parameter, **{f"{name}_t": value for name, value in state.items()}}
    return {row: after[row] for row in map(spell, function.equation.outputs)}


def _before(start: dict[str, Tensor]) -> dict[str, Tensor]:
    """The starting values, under the names that the equations use."""
    return {"g_t" if name == "g" else f"{name}_t_minus_1": value for name, value in start.items()}


@check
def sgd(function: Any, draw: Draw) -> Case:
    """Both implementations, with weight decay."""
    start = dict(zip(("theta", "g"), draw.normal(2, draw.size()), strict=True))
    given = {**_before(start), "eta": 0.3, "lambda_": 0.2}
    return given, _updated(function, draw, start, lr=0.3, weight_decay=0.2)


@check
def momentum(function: Any, draw: Draw) -> Case:
    """Both implementations, Polyak's form and Nesterov's."""
    start, nesterov = dict(zip(("theta", "g", "m"), draw.normal(3, draw.size()), strict=True)), draw.integer(0, 1)
    given = {**_before(start), "n": nesterov, "eta": 0.3, "mu": 0.8, "lambda_": 0.2}
    settings: dict[str, Any] = {"lr": 0.3, "momentum": 0.8, "nesterov": bool(nesterov), "weight_decay": 0.2}
    return given, _updated(function, draw, start, **settings)


@check
def adam(function: Any, draw: Draw) -> Case:
    """Both implementations, at the first update and at later ones."""
    t, start = draw.choice([1, 2, 7]), dict(zip(("theta", "g", "m", "v"), draw.normal(4, draw.size()), strict=True))
    start["v"] = start["v"].square()
    settings = {"lr": 0.3, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.2}
    given = {"t": t, "eta": 0.3, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.01, "lambda_": 0.2}
    return {**_before(start), **given}, _updated(function, draw, start, t, **settings)


@check
def adamw(function: Any, draw: Draw) -> Case:
    """As Adam."""
    return adam(function, draw)


@check
def lion(function: Any, draw: Draw) -> Case:
    """Both implementations; gradients and means of opposite signs, so that both coefficients matter."""
    start = dict(zip(("theta", "g", "m"), draw.normal(3, 4 + draw.size()), strict=True))
    start["m"][:2], start["g"][:2] = 1.0, torch.tensor([-8.5, -9.5])
    given = {**_before(start), "eta": 0.3, "beta_1": 0.9, "beta_2": 0.8, "lambda_": 0.2}
    return given, _updated(function, draw, start, lr=0.3, betas=(0.9, 0.8), weight_decay=0.2)


@check
def newton_schulz(function: Any, draw: Draw) -> Case:
    """Wide and tall matrices, and one so small that epsilon matters."""
    g, steps = draw.normal(draw.size(), draw.size(), scale=draw.choice([1.0, 1e-8])), draw.size(1, 5)
    if g.dtype.itemsize == 2 or draw.choice([True, False]):  # steeper polynomials magnify what 16 bits round
        a, b, c = (torch.full((steps,), value, dtype=torch.float64) for value in (3.4445, -4.7750, 2.0315))
        return {"G": g, "a": a, "b": b, "c": c, "epsilon": 1e-7}, function(g, steps)
    polynomials = POLYNOMIALS["polar-3"][:steps]
    a, b, c = torch.tensor(polynomials, dtype=torch.float64).T
    return {"G": g, "a": a, "b": b, "c": c, "epsilon": 1e-7}, function(g, polynomials=polynomials)


@check
def muon(function: Any, draw: Draw) -> Case:
    """Both implementations; Newton–Schulz is taken from its own equation."""
    rows, columns = draw.size(), draw.size()
    start = dict(zip(("theta", "g", "m"), draw.normal(3, rows, columns), strict=True))
    a, b, c = ([value] * 5 for value in (3.4445, -4.7750, 2.0315))

    def orthogonal(matrix: Any) -> Any:
        return equations.get("newton-schulz").evaluate(G=matrix, a=a, b=b, c=c, epsilon=1e-7)

    given = {"O": orthogonal, "R": rows, "C": columns, "eta": 0.3, "mu": 0.8, "lambda_": 0.2}
    return {**_before(start), **given}, _updated(function, draw, start, lr=0.3, momentum=0.8, weight_decay=0.2)


@check
def clip_by_norm(function: Any, draw: Draw) -> Case:
    """Gradients that are clipped and that are not, and some so small that epsilon matters."""
    scale = draw.choice([1e-6, 1.0, 10.0])
    gradients, limit = draw.normal(draw.size(), draw.size(), scale=scale), scale * draw.choice([0.5, 2.0])
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    norm = function(parameters, limit)
    return {"g": gradients, "c": limit}, {
        "N": norm,
        "g_prime": torch.stack([p.grad for p in parameters if p.grad is not None]),
    }


def _rates(function: Any, draw: Draw, **options: int) -> Case:
    """Every step and two beyond the end, with and without warm-up, and with warm-up alone."""
    warmup, after = options.pop("warmup", draw.size(0, 3)), options.pop("after", draw.choice([0, 3, 6]))
    steps = max(1, warmup + after)
    t = torch.arange(1, steps + 3)
    rates = [function(i, peak=7.0, final=5.5, warmup_steps=warmup, steps=steps, **options) for i in t.tolist()]
    given = {"t": t, "eta_max": 7.0, "eta_min": 5.5, "W": warmup, "S": steps}
    return given, torch.tensor(rates, dtype=torch.float64)


@check
def warmup_constant(function: Any, draw: Draw) -> Case:
    """A schedule without an end."""
    given, rates = _rates(function, draw)
    return {name: given[name] for name in ("t", "eta_max", "W")}, rates


@check
def warmup_cosine(function: Any, draw: Draw) -> Case:
    """All steps and two beyond the end."""
    return _rates(function, draw)


@check
def warmup_linear(function: Any, draw: Draw) -> Case:
    """All steps and two beyond the end."""
    return _rates(function, draw)


@check
def warmup_stable_decay(function: Any, draw: Draw) -> Case:
    """Decay over all steps after the warm-up, over some of them, no decay, and the default fifth."""
    warmup, after = draw.size(0, 3), draw.choice([3, 6])
    if draw.choice([True, False]):
        given, rates = _rates(function, draw, warmup=warmup, after=after)
        return {**given, "C": min(after, -(-(warmup + after) // 5))}, rates
    decay = draw.choice([0, 2, after])
    given, rates = _rates(function, draw, warmup=warmup, after=after, decay_steps=decay)
    return {**given, "C": decay}, rates


@check
def exponential_ramp(function: Any, draw: Draw) -> Case:
    """Every step of a ramp, up or down."""
    steps, low = draw.size(2, 6), draw.choice([0.5, 3.0])
    t = torch.arange(1, steps + 1)
    rates = [function(i, low=low, high=2.0, steps=steps) for i in t.tolist()]
    return {"t": t, "eta_min": low, "eta_max": 2.0, "S": steps}, torch.tensor(rates, dtype=torch.float64)


@check
def weight_average(function: Any, draw: Draw) -> Case:
    """The first update, which ignores the previous average, and later ones."""
    t, (average, theta) = draw.choice([1, 2, 9]), draw.normal(2, draw.size())
    given = {"theta_bar_t_minus_1": average, "theta_t": theta, "t": t, "beta": 0.8}
    return given, function(average, theta, t, 0.8)
