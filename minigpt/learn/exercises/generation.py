"""Exercises 21 and 22: the distribution of the next token, and a decoding step with a cache."""

import numpy as np
import torch
from torch import Tensor

from minigpt.equations import get
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.heads import LARGEST_SCORE
from minigpt.learn.exercises.slips.model.kv_cache_step import KV_CACHE_STEP_MISTAKES
from minigpt.learn.exercises.slips.model.sampling_probabilities import SAMPLING_PROBABILITIES_MISTAKES
from minigpt.learn.exercises.solutions.generation import KV_CACHE_STEP_SOLUTIONS, SAMPLING_PROBABILITIES_SOLUTIONS

_STAGE = Words("Generation", "生成")


def _sampling_draw(d: ExerciseDraw) -> tuple[Tensor, float, int, float]:
    while True:
        logits = d.normal(d.size(4, 10))
        temperature, top_p = d.choice([0.5, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 2.5]), d.integer(50, 98) / 100
        top_k = d.size(1, len(logits))
        if top_k == 1:  # rarely: then the other numbers change nothing
            top_k = d.size(1, len(logits))
        if _is_clear(logits, temperature, top_k, top_p):
            return logits, temperature, top_k, top_p


def _is_clear(logits: Tensor, temperature: float, top_k: int, top_p: float) -> bool:
    """Whether no two logits are almost equal and no cumulative mass is almost the limit, in either order of filters."""
    ordered = logits.double().sort(descending=True).values
    if (ordered[:-1] - ordered[1:]).min() < 0.01:
        return False
    kept = torch.softmax(ordered[:top_k] / temperature, 0)
    every = torch.softmax(ordered / temperature, 0)
    masses = torch.cat((kept.cumsum(0), every.cumsum(0)))
    return bool((masses - top_p).abs().min() > 0.002)


def _sampling_expected(logits: Tensor, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    p = get("temperature").evaluate(z=logits, tau=temperature)
    return get("top-p").evaluate(p=get("top-k").evaluate(p=p, k=top_k), rho=top_p)


SAMPLING_PROBABILITIES = Exercise(
    name="sampling_probabilities",
    level=3,
    stage=_STAGE,
    task=Words(
        "Compute the distribution to draw the next token from: temperature, then top-k, then top-p.",
        "计算用来抽取下一个词元的分布：先用温度，再做 top-k，最后做 top-p。",
    ),
    arguments={
        "logits": "(V,) float32, no two equal",
        "temperature": "float τ",
        "top_k": "int k, 1 to V",
        "top_p": "float ρ, the mass to reach",
    },
    result="(V,), in token order",
    latex=r"p_i = \frac{\exp(z_i / \tau)}{\sum_{j} \exp(z_j / \tau)}, \quad "
    r"p'_i = \frac{\mathbb{1}[r_i \le k]\, p_i}{\sum_{j} \mathbb{1}[r_j \le k]\, p_j}, \quad "
    r"p''_i = \frac{\mathbb{1}[c_i < \rho]\, p'_i}{\sum_{j} \mathbb{1}[c_j < \rho]\, p'_j}, \quad "
    r"c_i = \sum_{j} \mathbb{1}[r_j < r_i]\, p'_j",
    equations=("temperature", "top-k", "top-p"),
    page="notebooks/07-autoregressive-training",
    term=r"c_i = \sum_{j} \mathbb{1}[r_j < r_i]\, p'_j",
    draw=_sampling_draw,
    expected=_sampling_expected,
    misconceptions=SAMPLING_PROBABILITIES_MISTAKES,
    solutions=SAMPLING_PROBABILITIES_SOLUTIONS,
)


def _cache_draw(d: ExerciseDraw) -> tuple[Tensor, ...]:
    while True:
        width, head_width, n_past = d.size(2, 5), d.size(2, 5), d.integer(0, 6)
        x, (w_q, w_k, w_v) = d.normal(width), (d.normal(width, head_width) for _ in range(3))
        k_cache, v_cache = d.normal(n_past, head_width), d.normal(n_past, head_width)
        if (torch.vstack((k_cache, x @ w_k)) @ (x @ w_q)).abs().max() <= LARGEST_SCORE:
            return x, w_q, w_k, w_v, k_cache, v_cache


def _cache_expected(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor
) -> tuple[np.ndarray, ...]:
    given = {"x": x, "W_Q": w_q, "W_K": w_k, "W_V": w_v, "k": k_cache, "v": v_cache}
    rows = get("kv-cache-step").evaluate_all(**given)
    return rows["o"], rows["k_prime"], rows["v_prime"]


KV_CACHE_STEP = Exercise(
    name="kv_cache_step",
    level=3,
    stage=_STAGE,
    task=Words(
        "Decode one token with a cache: append its key and value, and attend to the past and to itself.",
        "用缓存解码一个词元：追加它的键与值，再对过去和自身计算注意力。",
    ),
    arguments={
        "x": "(D,) float32, the new token",
        "w_q": "(D, E) float32",
        "w_k": "(D, E) float32",
        "w_v": "(D, E) float32",
        "k_cache": "(S, E) float32, oldest first; S may be 0",
        "v_cache": "(S, E) float32",
    },
    result="(out (E,), k_cache (S+1, E), v_cache (S+1, E))",
    latex=r"K = [K_{past}; x W^K], \quad V = [V_{past}; x W^V], \quad "
    r"o = \mathrm{softmax}\left(\frac{K (x W^Q)}{\sqrt{E}}\right)^\top V",
    equations=("kv-cache-step",),
    page="notebooks/07-autoregressive-training",
    term="K = [K_{past}; x W^K]",
    draw=_cache_draw,
    expected=_cache_expected,
    misconceptions=KV_CACHE_STEP_MISTAKES,
    solutions=KV_CACHE_STEP_SOLUTIONS,
)

EXERCISES = (SAMPLING_PROBABILITIES, KV_CACHE_STEP)
