"""Formulas in one notation, each with an independent numpy computation, for the tests and the mutation campaign.

``FORMULAS`` are read from ``formulas.json``; ``ORACLES`` maps a name to a function that draws inputs: it yields
pairs of what `Equation.evaluate_all` is given and what it must return. Sizes differ from one another, each branch
is met on both sides, and thresholds are met exactly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.equations import Equation

Case = tuple[dict[str, Any], dict[str, Any]]
Oracle = Callable[[np.random.Generator], Iterator[Case]]

FORMULAS: dict[str, Equation] = {
    entry["name"]: Equation(**entry)
    for entry in json.loads(Path(__file__).with_name("formulas.json").read_text(encoding="utf-8"))
}
ORACLES: dict[str, Oracle] = {}


def oracle(function: Oracle) -> Oracle:
    ORACLES[function.__name__.replace("_", "-")] = function
    return function


def softmax(x):
    weights = np.exp(x)
    return weights / weights.sum(-1, keepdims=True)


def probabilities(rng, *shape):
    return softmax(rng.normal(size=shape))


# ---- the seed document


@oracle
def attention_weights(rng):
    for n, d in [(3, 4), (1, 2), (4, 1)]:
        v = rng.normal(size=(n, d))
        yield {"v": v}, {"a": softmax(v @ v.T)}


@oracle
def attention_output(rng):
    a, v = probabilities(rng, 4, 4), rng.normal(size=(4, 3))
    yield {"a": a, "v": v}, {"v_prime": a @ v}


@oracle
def cross_entropy(rng):
    for n in (5, 2):
        y, p = probabilities(rng, n), probabilities(rng, n)
        yield {"y": y, "p": p}, {"L": -np.dot(y, np.log(p))}


# ---- language models and their measures


@oracle
def language_model(rng):
    table = probabilities(rng, 8, 6)

    def p(token, before):
        return table[int(np.dot(before, before)) % 8, int(token) - 1]

    x = rng.integers(1, 7, size=4)
    yield {"x": x, "p": p}, {"P": math.exp(sum(math.log(p(token, x[:t])) for t, token in enumerate(x)))}


@oracle
def chain_rule(rng):
    dy, jacobian = rng.normal(size=3), rng.normal(size=(3, 4))
    yield {"dL_dy": dy, "dy_dx": jacobian}, {"dL_dx": dy @ jacobian}


@oracle
def ngram_additive(rng):
    for alpha in (0.5, 2.0):
        c = rng.integers(0, 5, size=(3, 4)).astype(float)
        smooth = c + alpha
        yield {"c": c, "alpha": alpha, "V": 4}, {"p": smooth / smooth.sum(1, keepdims=True)}


@oracle
def kneser_ney(rng):
    for delta in (0.75, 0.4):
        c = rng.integers(0, 3, size=(4, 4)) + np.eye(4)
        c[0, 1], c[2, 3] = 0, 0
        kinds = np.count_nonzero(c, axis=0)
        total = c.sum(1, keepdims=True)
        backoff = delta / total * np.count_nonzero(c, axis=1)[:, None]
        yield {"c": c, "delta": delta}, {"p": np.clip(c - delta, 0, None) / total + backoff * kinds / kinds.sum()}


@oracle
def perplexity(rng):
    p = probabilities(rng, 5)
    yield {"p": p}, {"P": np.prod(p) ** (-1 / 5)}


@oracle
def bits_per_byte(rng):
    p = probabilities(rng, 4)
    yield {"p": p, "B": 11}, {"b": -math.log2(np.prod(p)) / 11}


@oracle
def next_token_loss(rng):
    for w in (np.array([1.0, 0, 1, 1, 0]), rng.uniform(size=5)):
        x, p = np.array([3, 1, 2, 2, 3]), probabilities(rng, 5, 3)
        picked = np.log(p)[np.arange(4), x[1:] - 1]
        yield {"x": x, "w": w, "p": p}, {"L": -np.average(picked, weights=w[1:])}


@oracle
def label_smoothing(rng):
    y, p, eps = np.eye(4)[2], probabilities(rng, 4), 0.1
    yield {"y": y, "p": p, "epsilon": eps}, {"L": -(np.log(p) @ (y - eps * y + eps / 4))}


@oracle
def softmax_ce_gradient(rng):
    z, y = rng.normal(size=4), np.eye(4)[1]
    yield {"z": z, "y": y}, {"dL_dz": softmax(z) - y}


# ---- softmax and attention


@oracle
def softmax_(rng):
    for n in (5, 1):
        x = rng.normal(size=n)
        yield {"x": x}, {"softmax": softmax(x)}


ORACLES["softmax"] = ORACLES.pop("softmax-")


@oracle
def log_sum_exp(rng):
    x = rng.normal(size=5)
    yield {"x": x}, {"lse": np.logaddexp.reduce(x)}


@oracle
def scaled_dot_product(rng):
    q, k, v = rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 5))
    yield {"q": q, "k": k, "v": v}, {"o": softmax(q @ k.T / math.sqrt(3)) @ v}


@oracle
def causal_attention(rng):
    s = rng.normal(size=(4, 4))
    yield {"s": s}, {"a": softmax(np.where(np.tri(4) > 0, s, -np.inf))}


@oracle
def sliding_window(rng):
    for w in (1, 2, 3):
        s = rng.normal(size=(5, 5))
        yield {"s": s, "w": w}, {"a": softmax(np.where(np.tri(5) - np.tri(5, k=-w) > 0, s, -np.inf))}


@oracle
def projections(rng):
    x, shapes = rng.normal(size=(3, 4)), {"W_Q": (2, 4), "W_K": (2, 4), "W_V": (5, 4)}
    w = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    yield {"x": x, **w}, {name: x @ w[f"W_{name.upper()}"].T for name in "qkv"}


@oracle
def multi_head(rng):
    o, w = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    together = np.concatenate(list(o), axis=-1)
    yield {"o": o, "W_O": w}, {"y": together @ np.concatenate(list(w), axis=-1).T}


@oracle
def grouped_query(rng):
    for heads, groups in [(4, 2), (6, 3), (3, 1)]:
        a, v = probabilities(rng, heads, 2, 2), rng.normal(size=(groups, 2, 5))
        yield {"a": a, "v": v}, {"o": a @ np.repeat(v, heads // groups, axis=0)}


@oracle
def online_softmax(rng):
    for s in (rng.normal(size=4), np.array([-5.0, -1.0, -2.0])):
        v = rng.normal(size=(len(s), 3))
        m = np.maximum.accumulate(s)
        parts = np.tri(len(s)) * np.exp(s - m[:, None])
        yield {"s": s, "v": v}, {"m": m, "l": parts.sum(1), "o": parts @ v}


@oracle
def flash_backward(rng):
    q, k, v, do = (rng.normal(size=shape) for shape in [(4, 3), (4, 3), (4, 2), (4, 2)])
    a = softmax(q @ k.T / math.sqrt(3))
    dp = do @ v.T
    ds = (np.einsum("ij,jk->ijk", a, np.eye(4)) - np.einsum("ij,ik->ijk", a, a)) @ dp[..., None]
    d = np.sum(a * dp, axis=1)
    yield (
        {"q": q, "k": k, "v": v, "a": a, "o": a @ v, "dO": do},
        {
            **{"dV": a.T @ do, "dP": dp, "D": d, "dS": ds[..., 0]},
            **{"dQ": ds[..., 0] @ k / math.sqrt(3), "dK": ds[..., 0].T @ q / math.sqrt(3)},
        },
    )


# ---- positions


@oracle
def sinusoidal_positions(rng):
    for n, d in [(3, 6), (2, 4)]:
        angles = np.outer(np.arange(n), np.exp(-np.arange(0, d, 2) / d * math.log(10000)))
        yield {"n": n, "d": d}, {"P": np.stack([np.sin(angles), np.cos(angles)], -1).reshape(n, d)}


@oracle
def rope(rng):
    x = rng.normal(size=(3, 4))
    turn = np.exp(1j * np.outer(np.arange(3), 10000.0 ** -np.array([0, 0.5])))
    pairs = (x[:, ::2] + 1j * x[:, 1::2]) * turn
    yield {"x": x}, {"x_prime": np.stack([pairs.real, pairs.imag], -1).reshape(3, 4)}


@oracle
def alibi(rng):
    q, k = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    distance = np.subtract.outer(np.arange(3), np.arange(3))
    slopes = np.array([2.0**-4, 2.0**-8])
    yield {"q": q, "k": k}, {"s": np.einsum("hid,hjd->hij", q, k) / 2 - slopes[:, None, None] * distance}


# ---- norms, activations, blocks


@oracle
def layer_norm(rng):
    for eps in (1e-5, 0.5):
        x, g, b = rng.normal(size=(3, 5))
        yield {"x": x, "gamma": g, "beta": b, "epsilon": eps}, {"y": g * (x - x.mean()) / np.sqrt(x.var() + eps) + b}


@oracle
def rms_norm(rng):
    for eps in (1e-5, 0.5):
        x, g = rng.normal(size=(2, 5))
        yield {"x": x, "gamma": g, "epsilon": eps}, {"y": g * x / np.sqrt(np.vdot(x, x) / 5 + eps)}


@oracle
def gelu(rng):
    x = rng.normal(size=(2, 3))
    yield {"x": x}, {"GELU": x * np.vectorize(lambda t: math.erfc(-t / 2**0.5) / 2)(x)}


@oracle
def gelu_tanh(rng):
    x = 2 * rng.normal(size=6)
    u = np.sqrt(8 / np.pi) * (x + 0.044715 * x * x * x)
    yield {"x": x}, {"GELU": x / (1 + np.exp(-u))}


@oracle
def silu(rng):
    x = rng.normal(size=4)
    yield {"x": x}, {"SiLU": x * (1 + np.tanh(x / 2)) / 2}


@oracle
def swiglu(rng):
    x, w1, w3, w2 = (rng.normal(size=shape) for shape in [3, (5, 3), (5, 3), (3, 5)])
    gate = w1 @ x
    yield {"x": x, "W_1": w1, "W_3": w3, "W_2": w2}, {"y": (gate * (1 + np.tanh(gate / 2)) / 2 * (w3 @ x)) @ w2.T}


@oracle
def relu_squared(rng):
    x = np.array([-2.0, -0.5, 0.0, 0.5, 3.0])
    yield {"x": x}, {"f": np.where(x > 0, x * x, 0)}


def _sublayers(rng):
    mix = rng.normal(size=(4, 4))
    return {"A": lambda x: x @ mix, "F": np.cos, "N": lambda x: x - x.mean(), "M": lambda x: 2 * x + 1}


@oracle
def pre_norm_block(rng):
    f, x = _sublayers(rng), rng.normal(size=(3, 4))
    h = x + f["A"](f["N"](x))
    yield {"x": x, **f}, {"h": h, "y": h + f["F"](f["M"](h))}


@oracle
def post_norm_block(rng):
    f, x = _sublayers(rng), rng.normal(size=(3, 4))
    h = f["N"](x + f["A"](x))
    yield {"x": x, **f}, {"h": h, "y": f["M"](h + f["F"](h))}


@oracle
def tied_logits(rng):
    e, h = rng.normal(size=(5, 3)), rng.normal(size=(2, 3))
    yield {"E": e, "h": h}, {"z": h @ e.T}


@oracle
def lora(rng):
    x, w, a, b = (rng.normal(size=shape) for shape in [4, (3, 4), (2, 4), (3, 2)])
    yield {"x": x, "W": w, "A": a, "B": b, "alpha": 0.3, "r": 2}, {"y": (w + 0.15 * (b @ a)) @ x}
