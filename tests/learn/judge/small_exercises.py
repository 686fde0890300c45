"""Three small exercises with their mistakes: one result, several results, and one where two mistakes coincide."""

import numpy as np
import torch

from minigpt import equations
from minigpt.learn.exercises.exercise import Exercise, Misconception, Words


def words(text):
    return Words(text, f"中文：{text}")


def mistake(id, kind, slip):
    return Misconception(id, kind, words(f"This is {id}."), slip)


def exercise(name, **given):
    defaults = {
        "level": 1,
        "stage": words("Stage"),
        "task": words("Write it."),
        "equations": (),
        "page": "notebooks/01-language-models",
        "term": "",
        "misconceptions": (),
        "solutions": (),
    }
    return Exercise(name=name, **{**defaults, **given})


def _softmax(z):
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


SOFTMAX = exercise(
    "softmax",
    arguments={"z": "(N, V) float32"},
    result="(N, V)",
    latex=r"p_i = \frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)}",
    term=r"\sum_{k=1}^{V} \exp(z_k)",
    draw=lambda d: (d.normal(d.size(2, 4), d.size(2, 5)),),
    expected=lambda z: np.stack([equations.get("softmax").evaluate(z=row.double().numpy()) for row in z]),
    misconceptions=(
        mistake("softmax.first-axis", "axis", lambda z: torch.softmax(z, 0)),
        mistake("softmax.unnormalised", "missing", lambda z: torch.exp(z)),
    ),
    solutions=(_softmax, lambda z: torch.softmax(z, -1)),
)

SPREAD = exercise(
    "spread",
    arguments={"x": "(N,) float32", "eps": "float"},
    result="(mean (), variance ())",
    latex=r"\mu = \frac1N \sum_i x_i",
    draw=lambda d: (d.normal(d.size(3, 6)), d.number(0.1, 0.5)),
    expected=lambda x, eps: (x.double().mean().numpy(), x.double().var(unbiased=False).numpy() + eps),
    misconceptions=(
        mistake("spread.divided-by-n-minus-one", "scale", lambda x, eps: (x.mean(), x.var() + eps)),
        mistake("spread.twin", "scale", lambda x, eps: (x.mean(), (x - x.mean()).square().sum() / (len(x) - 1) + eps)),
    ),
    solutions=(lambda x, eps: (x.mean(), x.var(unbiased=False) + eps),),
)

MASK = exercise(
    "mask",
    arguments={"n": "int"},
    result="(n, n) bool",
    latex=r"m_{ij} = \mathbb{1}[j \le i]",
    draw=lambda d: (d.size(2, 5),),
    expected=lambda n: np.tril(np.ones((n, n), dtype=bool)),
    solutions=(lambda n: torch.ones(n, n).tril().bool(),),
)
