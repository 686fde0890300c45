"""Mistakes with the causal mask of the last T of S positions.

Dimensions: T query positions, S key positions.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("causal_mask")


def _up_to(n_queries: int, n_keys: int, diagonal: int) -> Tensor:
    """``True`` where key − query is at most ``diagonal``."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(diagonal)


@_mistake(
    "first-positions",
    "missing",
    "You treated the queries as the first T positions. They are the last T of S: query t is position t + S − T and "
    "also sees the S − T keys of the past.",
    "把查询当成了最前面的 T 个位置。它们是 S 个位置中的最后 T 个："
    "查询 t 位于位置 t + S − T，还能看到过去的 S − T 个键。",
)
def _first_positions(n_queries: int, n_keys: int) -> Tensor:
    return _up_to(n_queries, n_keys, 0)


@_mistake(
    "not-itself",
    "border",
    "A position may not see itself in your mask: you compared with < in place of ≤. Query t attends to keys up to and "
    "including its own position.",
    "你的掩码不允许位置看到自己：比较时用了 < 而不是 ≤。查询 t 可以关注直到自身（含自身）的键。",
)
def _not_itself(n_queries: int, n_keys: int) -> Tensor:
    return _up_to(n_queries, n_keys, n_keys - n_queries - 1)


@_mistake(
    "one-too-far",
    "shift",
    "Each query also sees the next token, one key too far. That token is what it has to predict.",
    "每个查询还能看到下一个词元，多看了一个键，而那正是它要预测的词元。",
)
def _one_too_far(n_queries: int, n_keys: int) -> Tensor:
    return _up_to(n_queries, n_keys, n_keys - n_queries + 1)


@_mistake(
    "inverted",
    "mask",
    "Your mask is inverted: True marks what is hidden. Here True means that the query may attend.",
    "掩码的含义反了：True 标出的是被遮住的位置。这里 True 表示可以关注。",
)
def _inverted(n_queries: int, n_keys: int) -> Tensor:
    return ~_up_to(n_queries, n_keys, n_keys - n_queries)


@_mistake(
    "inverted-first-positions",
    "mask",
    "Two things: True marks what is hidden in place of what may be attended to, and the queries are taken as the first "
    "T positions in place of the last T.",
    "有两处：True 标出的是被遮住的位置，而不是可以关注的位置；并且把查询当成了最前面而不是最后的 T 个位置。",
)
def _inverted_first(n_queries: int, n_keys: int) -> Tensor:
    return ~_up_to(n_queries, n_keys, 0)


@_mistake(
    "future",
    "mask",
    "Your queries see themselves and the future: the comparison of s with t + S − T is the wrong way round. Causal "
    "means that only the past and the present are seen.",
    "查询看到的是自己和未来：s 与 t + S − T 的比较方向反了。因果是指只能看到过去和现在。",
)
def _future(n_queries: int, n_keys: int) -> Tensor:
    return ~_up_to(n_queries, n_keys, n_keys - n_queries - 1)


@_mistake(
    "future-first-positions",
    "mask",
    "Two things: your queries see themselves and the future in place of the past, and they are taken as the first T "
    "positions in place of the last T.",
    "有两处：查询看到的是自己和未来，而不是过去；并且把查询当成了最前面而不是最后的 T 个位置。",
)
def _future_first(n_queries: int, n_keys: int) -> Tensor:
    return ~_up_to(n_queries, n_keys, -1)


@_mistake(
    "everything",
    "missing",
    "Every query sees every key, so nothing is masked. Keys after the position of the query are hidden.",
    "每个查询都能看到所有键，什么也没有遮住。位于查询之后的键应当遮住。",
)
def _everything(n_queries: int, n_keys: int) -> Tensor:
    return torch.ones(n_queries, n_keys, dtype=torch.bool)


@_mistake(
    "numbers",
    "dtype",
    "The places are right, but the entries are the numbers 1 and 0. The mask is boolean: True and False.",
    "位置是对的，但元素是数字 1 和 0。掩码应为布尔型：True 与 False。",
)
def _numbers(n_queries: int, n_keys: int) -> Tensor:
    return _up_to(n_queries, n_keys, n_keys - n_queries).float()


@_mistake(
    "additive",
    "dtype",
    "You returned a mask to be added to the scores, 0 and −∞. Asked for is the boolean one, True where the query may "
    "attend.",
    "返回的是加到注意力分数上的掩码（0 与 −∞）。这里要的是布尔掩码，可以关注处为 True。",
)
def _additive(n_queries: int, n_keys: int) -> Tensor:
    seen = _up_to(n_queries, n_keys, n_keys - n_queries)
    return torch.zeros(n_queries, n_keys).masked_fill(~seen, -torch.inf)


@_mistake(
    "keys-by-queries",
    "transposed",
    "Your mask has a row for each key. A row belongs to a query and a column to a key: T × S.",
    "掩码的每一行对应一个键。应当一行对应一个查询，一列对应一个键，形状为 T × S。",
)
def _keys_by_queries(n_queries: int, n_keys: int) -> Tensor:
    return _up_to(n_queries, n_keys, n_keys - n_queries).T.clone()


@_mistake(
    "offset-subtracted",
    "sign",
    "You subtracted S − T in place of adding it, so the first queries see nothing. The past lies before the queries "
    "and moves the border to the right.",
    "把 S − T 减去了，而不是加上，于是最前面的查询什么也看不到。过去的键在查询之前，边界应向右移动。",
)
def _offset_subtracted(n_queries: int, n_keys: int) -> Tensor:
    return _up_to(n_queries, n_keys, n_queries - n_keys)


@_mistake(
    "past-hidden",
    "mask",
    "You hid the S − T keys that come before the first query. They are the cached past, and every query sees all of "
    "them.",
    "把第一个查询之前的 S − T 个键遮住了。它们是缓存中的过去，每个查询都能看到全部。",
)
def _past_hidden(n_queries: int, n_keys: int) -> Tensor:
    past = torch.arange(n_keys) < n_keys - n_queries
    return _up_to(n_queries, n_keys, n_keys - n_queries) & ~past


CAUSAL_MASK_MISTAKES = tuple(_mistake.found)
