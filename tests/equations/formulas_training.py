"""The oracles of training, sampling and cost; see ``formulas.py``."""

from __future__ import annotations

import math

import numpy as np
from formulas import oracle, probabilities, softmax


def _state(rng, *names):
    state = {name: rng.normal(size=4) for name in names}
    return state | {name: np.square(value) for name, value in state.items() if name.startswith("v_")}


@oracle
def sgd(rng):
    s = _state(rng, "theta_t_minus_1", "g_t")
    yield {**s, "eta": 0.3}, {"theta_t": s["theta_t_minus_1"] - 0.3 * s["g_t"]}


@oracle
def momentum(rng):
    s = _state(rng, "theta_t_minus_1", "m_t_minus_1", "g_t")
    m = s["g_t"] + 0.9 * s["m_t_minus_1"]
    yield {**s, "eta": 0.3, "mu": 0.9}, {"m_t": m, "theta_t": s["theta_t_minus_1"] - 0.3 * m}


def _adam(rng, decay):
    for t in (1, 4):
        s = _state(rng, "theta_t_minus_1", "m_t_minus_1", "v_t_minus_1", "g_t")
        m = np.average([s["m_t_minus_1"], s["g_t"]], axis=0, weights=[0.9, 0.1])
        v = np.average([s["v_t_minus_1"], s["g_t"] * s["g_t"]], axis=0, weights=[0.95, 0.05])
        m_hat, v_hat = m / sum(0.1 * 0.9**k for k in range(t)), v / sum(0.05 * 0.95**k for k in range(t))
        step = -0.3 * m_hat / (np.sqrt(v_hat) + 0.01)
        theta = (1 - 0.3 * decay) * s["theta_t_minus_1"] + step
        given = {**s, "eta": 0.3, "beta_1": 0.9, "beta_2": 0.95, "epsilon": 0.01, "t": t}
        yield given, {"m_t": m, "v_t": v, "m_hat_t": m_hat, "v_hat_t": v_hat, "theta_t": theta}


@oracle
def adam(rng):
    yield from _adam(rng, decay=0.0)


@oracle
def adamw(rng):
    for given, expected in _adam(rng, decay=0.2):
        yield {**given, "lambda_": 0.2}, expected


@oracle
def lion(rng):
    # The sign turns where 0.9 m = -0.1 g: inputs just on either side of it show every wrong weight.
    m, g = np.array([1.0, 1.0, 0.0, -1.0, 2.0]), np.array([-8.9, -9.1, 0.0, 9.1, 1.0])
    theta = rng.normal(size=5)
    mixed = np.average([m, g], axis=0, weights=[0.9, 0.1])
    sign = np.where(mixed > 0, 1.0, np.where(mixed < 0, -1.0, 0.0))
    given = {"theta_t_minus_1": theta, "m_t_minus_1": m, "g_t": g, "eta": 0.3, "beta_1": 0.9, "beta_2": 0.8}
    after = (1 - 0.3 * 0.2) * theta - 0.3 * sign
    yield {**given, "lambda_": 0.2}, {"theta_t": after, "m_t": np.average([m, g], axis=0, weights=[0.8, 0.2])}


@oracle
def muon_newton_schulz(rng):
    x, (a, b, c) = rng.normal(size=(2, 3)), (3.4445, -4.7750, 2.0315)
    left, s, right = np.linalg.svd(x, full_matrices=False)
    given = {"X": x, "a": a, "b": b, "c": c}
    yield given, {"A": left * s**2 @ left.T, "X_prime": left * (a * s + b * s**3 + c * s**5) @ right}


@oracle
def warmup_cosine(rng):
    peak, floor, w, total = 7.0, 5.5, 4, 12
    for t in (1, 3, 4, 5, 7, 8, 11, 12, 13, 20):
        half_turns = np.interp(t, [w, total], [0, 1])
        rate = (
            np.interp(t, [0, w], [0, peak])
            if t <= w
            else floor + (peak - floor) * math.cos(half_turns * math.pi / 2) ** 2
        )
        yield {"eta_max": peak, "eta_min": floor, "w": w, "T": total, "t": t}, {"eta_t": rate}


@oracle
def clip_global_norm(rng):
    for scale in (0.01, 1.0, 5.0):
        g = scale * rng.normal(size=(3, 4))
        norm = np.linalg.norm(g.ravel())
        yield {"g": g, "c": 1.5}, {"g_prime": g if norm <= 1.5 else 1.5 * g / norm}


@oracle
def ema(rng):
    s = _state(rng, "theta_bar_t_minus_1", "theta_t")
    mean = s["theta_t"] + 0.9 * (s["theta_bar_t_minus_1"] - s["theta_t"])
    yield {**s, "beta": 0.9}, {"theta_bar_t": mean}


@oracle
def temperature(rng):
    for tau in (0.7, 2.0):
        z = rng.normal(size=5)
        yield {"z": z, "tau": tau}, {"p": softmax(z / tau)}


def _kept(p, keep):
    order = np.argsort(-p)
    out = np.zeros_like(p)
    out[order[:keep]] = p[order[:keep]] / p[order[:keep]].sum()
    return {"p_prime": out}


@oracle
def top_k(rng):
    for k in (1, 2, 5):
        p = probabilities(rng, 5)
        yield {"p": p, "k": k}, _kept(p, k)


@oracle
def top_p(rng):
    p = np.array([0.125, 0.5, 0.25, 0.0625, 0.0625 - 1e-9])
    for rho, keep in [(0.5, 1), (0.51, 2), (0.75, 2), (0.8, 3), (0.2, 1), (1.0, 5)]:
        yield {"p": p, "rho": rho}, _kept(p, keep)
    for _ in range(2):
        q = probabilities(rng, 6)
        yield {"p": q, "rho": 0.6}, _kept(q, 1 + int(np.sum(np.cumsum(np.sort(q)[::-1]) < 0.6)))


@oracle
def dpo(rng):
    pw, pl, qw, ql = rng.uniform(0.1, 0.9, size=(4, 3))
    margin = 0.6 * (np.log(pw) - np.log(qw) - np.log(pl) + np.log(ql))
    yield {"p_w": pw, "p_l": pl, "q_w": qw, "q_l": ql, "beta": 0.6}, {"L": np.mean(np.logaddexp(0, -margin))}


@oracle
def training_flops(rng):
    tokens, n, layers, heads, width, context = 1000, 70, 3, 2, 5, 7
    attention = 12 * layers * heads * width * context
    yield {"D": tokens, "N": n, "L": layers, "H": heads, "Q": width, "T": context}, {"C": tokens * (6 * n + attention)}


@oracle
def kv_cache_bytes(rng):
    yield {"L": 3, "G": 2, "d_k": 5, "n": 7, "b": 4}, {"M": np.zeros((2, 3, 2, 7, 5), np.float32).nbytes}
