"""Checks of losses, evaluation metrics and cost."""

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from minigpt.checks.draw import Case, Draw, check
from minigpt.checks.layers import small_config
from minigpt.evaluation.perplexity import Evaluation
from minigpt.model import GPT
from minigpt.text import TokenDataset


@check
def cross_entropy(function: Any, draw: Draw) -> Case:
    """A soft target, or a single class."""
    y, p = draw.probabilities(2, draw.size(1, 6))
    y = draw.choice([y, nn.functional.one_hot(y.argmax(), len(y)).to(y.dtype)])
    return {"y": y, "p": p}, function(y, p)


@check
def label_smoothing(function: Any, draw: Draw) -> Case:
    """As cross-entropy, with weak and strong smoothing."""
    given, _ = cross_entropy(lambda y, p: None, draw)
    smoothing = draw.choice([0.1, 0.6])
    return {**given, "epsilon": smoothing}, function(given["y"], given["p"], smoothing)


@check
def cross_entropy_from_logits(function: Any, draw: Draw) -> Case:
    """Any class."""
    z = draw.normal(draw.size(1, 6))
    target = draw.ids(below=len(z))
    return {"z": z, "c": target + 1}, function(z, target)


@check
def next_token_loss(function: Any, draw: Draw) -> Case:
    """Some positions ignored, but not all."""
    logits = draw.normal(draw.size(1, 3), draw.size(), draw.size())
    targets = draw.ids(*logits.shape[:2], below=logits.shape[2])
    counts = draw.normal(*targets.shape) > 0
    counts[0, 0] = True
    return {"z": logits, "x": targets + 1, "w": counts}, function(logits, targets.masked_fill(~counts, -100))


@check
def head_loss(function: Any, draw: Draw) -> Case:
    """Some rows ignored, but not all; chunks smaller than the number of rows."""
    x, weight, targets, counts = _head(draw)
    loss = function(x, weight, targets.masked_fill(~counts, -100), rows_at_once=draw.size())
    return {"x": x, "W": weight, "c": targets + 1, "w": counts}, loss


@check
def head_loss_gradient(function: Any, draw: Draw) -> Case:
    """The same, with label smoothing and without."""
    (x, weight, targets, counts), smoothing = _head(draw), draw.choice([0.0, 0.3])
    found = function(x, weight, targets.masked_fill(~counts, -100), counts, smoothing, rows_at_once=draw.size())
    given = {"x": x, "W": weight, "c": targets + 1, "w": counts, "epsilon": smoothing}
    return given, dict(zip(("L", "dx", "dW"), found, strict=True))


def _head(draw: Draw) -> tuple[torch.Tensor, ...]:
    """Rows, a head's matrix, targets, and which of them count."""
    x, weight = draw.normal(draw.size(1, 5), width := draw.size()), draw.normal(draw.size(2, 5), width)
    targets, counts = draw.ids(len(x), below=len(weight)), draw.normal(len(x)) > 0
    counts[0] = True
    return x, weight, targets, counts


@check
def chain_rule(function: Any, draw: Draw) -> Case:
    """A small GPT: the equation takes the probability of one token at a time, the function all of them at once."""
    ids = draw.ids(draw.size(2, 6), below=5)
    model = draw.filled(GPT(small_config(draw, context_length=len(ids) - 1)))
    exact = copy.deepcopy(model).double()

    def probability(token: np.ndarray, before: np.ndarray) -> float:
        logits = exact(torch.from_numpy(before).long()[None] - 1)[0, -1]
        return torch.softmax(logits, -1)[int(token) - 1].item()

    dataset = TokenDataset(ids, len(ids) - 1, vocab_size=5)
    return {"x": ids + 1, "p": probability}, torch.tensor(function(model, dataset).nats, dtype=draw.dtype)


@check
def neuron_loss(function: Any, draw: Draw) -> Case:
    """Any number of rows and inputs; weighted sums around 0, where the tanh is curved."""
    x, w = draw.normal(draw.size(), width := draw.size()), draw.normal(width, scale=0.5)
    b, y = draw.normal(scale=0.5), draw.normal(len(x))
    return {"x": x, "w": w, "b": b, "y": y}, function(x, w, b, y)


def _counts(draw: Draw) -> np.ndarray:
    """Counts of a few tokens, some 0 and not all of them; sometimes a single one."""
    counts = draw.ids(draw.size(1, 5), below=draw.size(1, 4)).numpy()
    counts[0] += 1
    return counts


@check
def additive_smoothing(function: Any, draw: Draw) -> Case:
    """Constants below and above 1."""
    c, alpha = _counts(draw), draw.integer(1, 32) / 16
    return {"c": c, "alpha": alpha}, function(c, c.sum(), alpha, len(c))


@check
def kneser_ney_smoothing(function: Any, draw: Draw) -> Case:
    """Discounts up to 1."""
    c, d = _counts(draw), draw.integer(1, 16) / 16
    q = draw.probabilities(len(c)).double().numpy()
    return {"c": c, "d": d, "q": q}, function(c, c.sum(), (c > 0).sum(), q, d)


@check
def bag_of_words(function: Any, draw: Draw) -> Case:
    """Any number of words and answers."""
    V, K = draw.size(), draw.size()
    c, W = draw.ids(V, below=4), draw.normal(V, K)
    return {"c": c, "W": W}, function(c.to(W.dtype), W)


@check
def nats_per_token(function: Any, draw: Draw) -> Case:
    """Any number of tokens."""
    p = draw.probabilities(draw.size(), draw.size(2, 5))[:, 0].double()
    return {"p": p}, function(Evaluation(-p.log().sum().item(), len(p), 1))


@check
def perplexity(function: Any, draw: Draw) -> Case:
    """As nats per token."""
    return nats_per_token(function, draw)


@check
def bits_per_byte(function: Any, draw: Draw) -> Case:
    """Tokens of any length."""
    p, n_bytes = draw.probabilities(draw.size(), draw.size(2, 5))[:, 0].double(), draw.integer(1, 20)
    return {"p": p, "b": n_bytes}, function(Evaluation(-p.log().sum().item(), len(p), n_bytes))
