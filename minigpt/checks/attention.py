"""Checks of attention, from the seed's two formulas to the one that the model uses."""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from minigpt.checks.draw import Case, Draw, check
from minigpt.model import Pattern


@check
def attention_weights(function: Any, draw: Draw) -> Case:
    """Any number of vectors of any width."""
    v = draw.normal(draw.size(), draw.size())
    return {"v": v}, function(v)


@check
def attention_output(function: Any, draw: Draw) -> Case:
    """As the weights."""
    v = draw.normal(draw.size(), draw.size())
    return {"v": v}, function(v)


def _queries_keys_values(draw: Draw, n_queries: int, n_keys: int) -> dict[str, Tensor]:
    width = draw.size()
    return {name: draw.normal(n, width) for name, n in {"q": n_queries, "k": n_keys, "v": n_keys}.items()}


@check
def scaled_attention(function: Any, draw: Draw) -> Case:
    """More or fewer queries than keys."""
    given = _queries_keys_values(draw, draw.size(), draw.size())
    return given, function(**given)


@check
def masked_attention(function: Any, draw: Draw) -> Case:
    """Masks that leave each query at least one key."""
    given = _queries_keys_values(draw, draw.size(), draw.size())
    n_queries, n_keys = len(given["q"]), len(given["k"])
    mask = draw.normal(n_queries, n_keys) > 0
    mask[torch.arange(n_queries), draw.ids(n_queries, below=n_keys)] = True
    return {**given, "m": mask}, function(**given, mask=mask)


@check
def causal_mask(function: Any, draw: Draw) -> Case:
    """With and without a window, with and without a past."""
    n_queries = draw.size()
    n_keys = n_queries + draw.size(0, 3)
    window = draw.choice([None, 1, 2, 3])
    given = {"T": n_queries, "S": n_keys, "w": n_keys if window is None else window}
    return given, function(n_queries, n_keys, window=window)


@check
def causal_attention(function: Any, draw: Draw) -> Case:
    """As many keys as queries."""
    n = draw.size()
    given = _queries_keys_values(draw, n, n)
    return given, function(**given)


@check
def projected_attention(function: Any, draw: Draw) -> Case:
    """One head, narrower or wider than the model."""
    x, width = draw.normal(draw.size(), draw.size()), draw.size()
    given = {name: draw.normal(x.shape[1], width) for name in ("W_Q", "W_K", "W_V")}
    return {"x": x, **given}, function(x, *given.values())


def _heads(draw: Draw, n_heads: int, n_kv_heads: int) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The inputs of the equation, and the same matrices side by side, as the model stores them."""
    d, e = draw.size(), draw.size()
    query, key, value = (draw.normal(n, d, e) for n in (n_heads, n_kv_heads, n_kv_heads))
    output = draw.normal(n_heads, e, d)
    given = {"x": draw.normal(draw.size(), d), "W_Q": query, "W_K": key, "W_V": value, "W_O": output}
    side_by_side = [rearrange(matrix, "h d e -> d (h e)") for matrix in (query, key, value)]
    return given, [*side_by_side, rearrange(output, "h e d -> (h e) d")]


@check
def multi_head_attention(function: Any, draw: Draw) -> Case:
    """One head or more."""
    n_heads = draw.size(1, 3)
    given, stored = _heads(draw, n_heads, n_heads)
    return given, function(given["x"], *stored, n_heads)


@check
def grouped_query_attention(function: Any, draw: Draw) -> Case:
    """One group or more, of one head or more."""
    n_kv_heads = draw.size(1, 3)
    n_heads = n_kv_heads * draw.size(1, 2)
    given, stored = _heads(draw, n_heads, n_kv_heads)
    return given, function(given["x"], *stored, (n_heads, n_kv_heads))


@check
def model_attention(function: Any, draw: Draw) -> Case:
    """Every pattern, on shared heads."""
    n_kv_heads, n, e = draw.size(1, 2), draw.size(), draw.size()
    n_heads = n_kv_heads * draw.size(1, 2)
    q, k, v = (draw.normal(heads, n, e) for heads in (n_heads, n_kv_heads, n_kv_heads))
    window, slopes = draw.choice([None, 1, 2, 3]), draw.choice([None, draw.normal(n_heads).abs()])
    given = {"q": q, "k": k, "v": v, "w": window or n, "m": torch.zeros(n_heads) if slopes is None else slopes}
    pattern = Pattern(window=window, slopes=slopes)
    return given, function(q[None], k[None], v[None], pattern)[0]


@check
def alibi_slopes(function: Any, draw: Draw) -> Case:
    """Any number of heads."""
    n_heads = draw.size(1, 9)
    return {"H": n_heads}, function(n_heads, dtype=draw.wide)


@check
def alibi_bias(function: Any, draw: Draw) -> Case:
    """With and without a past."""
    slopes, n_queries = draw.normal(draw.size()).abs(), draw.size()
    n_keys = n_queries + draw.size(0, 3)
    return {"m": slopes, "T": n_queries, "S": n_keys}, function(slopes, n_queries, n_keys)
