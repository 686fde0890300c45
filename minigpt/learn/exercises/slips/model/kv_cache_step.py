"""Mistakes with a decoding step of one head with a cache.

Dimensions: D model width, E head width, S cached positions.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("kv_cache_step")
_Step = tuple[Tensor, Tensor, Tensor]


def _appended(x: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> tuple[Tensor, Tensor]:
    return torch.cat((k_cache, (x @ w_k)[None])), torch.cat((v_cache, (x @ w_v)[None]))


def _attended(q: Tensor, keys: Tensor, values: Tensor, scale: float | None = None) -> Tensor:
    return torch.softmax(keys @ q * (q.shape[0] ** -0.5 if scale is None else scale), 0) @ values


def _scaled(inputs: tuple[Tensor, ...], scale: float) -> _Step:
    x, w_q, *rest = inputs
    keys, values = _appended(x, *rest)
    return _attended(x @ w_q, keys, values, scale), keys, values


_mistake(
    "no-scale",
    "missing",
    "You left the scores unscaled. Each is divided by the square root of the head width E before the softmax.",
    "分数没有缩放。softmax 之前，每个分数应除以头宽度 E 的平方根。",
)(lambda *inputs: _scaled(inputs, 1.0))

_mistake(
    "scaled-by-model-width",
    "wrong-operand",
    "You scaled by the root of the model width D, the length of x. Query and key are E numbers long, so the root of E "
    "is the scale.",
    "缩放用了模型宽度 D（x 的长度）的平方根。查询与键的长度是 E，应除以 E 的平方根。",
)(lambda *inputs: _scaled(inputs, len(inputs[0]) ** -0.5))

_mistake(
    "scaled-by-number-of-keys",
    "wrong-operand",
    "You scaled by the root of S + 1, the number of keys. The scale depends on the head width alone and not on how "
    "much is cached.",
    "缩放用了键的个数 S + 1 的平方根。缩放只取决于头宽度，与缓存了多少无关。",
)(lambda *inputs: _scaled(inputs, (len(inputs[4]) + 1) ** -0.5))

_mistake(
    "scaled-without-root",
    "scale",
    "You divided the scores by E itself, without the square root.",
    "分数除以了 E 本身，没有开平方根。",
)(lambda *inputs: _scaled(inputs, 1 / inputs[1].shape[1]))


@_mistake(
    "past-only",
    "missing",
    "You attended before appending, so the new token does not see itself. Its own key and value join the cache first.",
    "在追加之前就计算了注意力，于是新词元看不到自己。应先把它自己的键和值加入缓存。",
)
def _past_only(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    return _attended(x @ w_q, k_cache, v_cache), *_appended(x, w_k, w_v, k_cache, v_cache)


@_mistake(
    "itself-only",
    "missing",
    "You attended to the new token alone, so the output is its own value. The query meets all S + 1 keys, those of the "
    "cache included.",
    "只关注了新词元自己，于是输出就是它自己的值。查询应与全部 S + 1 个键匹配，包括缓存中的键。",
)
def _itself_only(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    return x @ w_v, *_appended(x, w_k, w_v, k_cache, v_cache)


@_mistake(
    "put-in-front",
    "order",
    "You put the new key and value in front of the past. The caches are ordered from the oldest to the newest, so the "
    "new row goes to the end.",
    "新的键和值放在了缓存的最前面。缓存按从旧到新排列，新的一行应放在末尾。",
)
def _in_front(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = torch.cat(((x @ w_k)[None], k_cache)), torch.cat(((x @ w_v)[None], v_cache))
    return _attended(x @ w_q, keys, values), keys, values


@_mistake(
    "caches-not-returned-longer",
    "missing",
    "Your output is right, but you returned the old caches. The next step needs them with the row of this token, S + 1 "
    "rows each.",
    "输出是对的，但返回的仍是旧的缓存。下一步需要包含当前词元那一行的缓存，各 S + 1 行。",
)
def _old_caches(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    return _attended(x @ w_q, *_appended(x, w_k, w_v, k_cache, v_cache)), k_cache, v_cache


@_mistake(
    "query-appended",
    "wrong-operand",
    "You appended the query to the cache of keys. The key of the new token is x times the key matrix; a query is used "
    "once and never cached.",
    "把查询追加进了键的缓存。新词元的键是 x 乘以键矩阵；查询只用一次，从不缓存。",
)
def _query_appended(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_q, w_v, k_cache, v_cache)
    return _attended(x @ w_q, keys, values), keys, values


@_mistake(
    "key-as-query",
    "wrong-operand",
    "You compared the keys with the key of the new token. The scores compare them with its query, x times the query "
    "matrix.",
    "与各个键作比较的是新词元的键。分数应由它的查询（x 乘以查询矩阵）与各键算出。",
)
def _key_as_query(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_k, w_v, k_cache, v_cache)
    return _attended(x @ w_k, keys, values), keys, values


@_mistake(
    "key-and-value-matrices-exchanged",
    "order",
    "You exchanged the key and value matrices, so each cache got the other's row. Keys come from the key matrix, "
    "values from the value matrix.",
    "键矩阵与值矩阵互换了，于是两个缓存各得到了对方的那一行。键来自键矩阵，值来自值矩阵。",
)
def _exchanged(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_v, w_k, k_cache, v_cache)
    return _attended(x @ w_q, keys, values), keys, values


@_mistake(
    "keys-averaged",
    "wrong-operand",
    "You averaged the keys with the attention weights. The keys decide the weights; what is averaged are the values.",
    "用注意力权重对键取了平均。键决定权重，被加权平均的是值。",
)
def _keys_averaged(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_k, w_v, k_cache, v_cache)
    return _attended(x @ w_q, keys, keys), keys, values


@_mistake(
    "not-normalised",
    "missing",
    "You weighted the values with the exponentials of the scores and did not divide by their sum. The weights of the "
    "softmax sum to 1.",
    "用分数的指数对值加权后没有除以指数之和。softmax 的权重之和应为 1。",
)
def _not_normalised(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_k, w_v, k_cache, v_cache)
    return torch.exp(keys @ (x @ w_q) / keys.shape[1] ** 0.5) @ values, keys, values


@_mistake(
    "no-softmax",
    "missing",
    "You weighted the values with the scaled scores themselves. A softmax over the S + 1 positions turns scores into "
    "weights.",
    "直接用缩放后的分数对值加权。应先在 S + 1 个位置上做 softmax，把分数变成权重。",
)
def _no_softmax(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_k, w_v, k_cache, v_cache)
    return keys @ (x @ w_q) / keys.shape[1] ** 0.5 @ values, keys, values


@_mistake(
    "oldest-dropped",
    "border",
    "You dropped the oldest row when you appended the new one, so the caches keep their length. The cache grows: S + 1 "
    "rows, all of the past included.",
    "追加新的一行时丢掉了最旧的一行，于是缓存长度不变。缓存应当增长到 S + 1 行，包含全部过去。",
)
def _oldest_dropped(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_k, w_v, k_cache[1:], v_cache[1:])
    return _attended(x @ w_q, keys, values), keys, values


@_mistake(
    "value-from-the-key-matrix",
    "wrong-operand",
    "You computed the new value with the key matrix, so key and value of the token are equal. The value has a matrix "
    "of its own.",
    "新词元的值也用键矩阵计算，于是它的键与值相同。值有它自己的矩阵。",
)
def _value_from_key(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, k_cache: Tensor, v_cache: Tensor) -> _Step:
    keys, values = _appended(x, w_k, w_k, k_cache, v_cache)
    return _attended(x @ w_q, keys, values), keys, values


KV_CACHE_STEP_MISTAKES = tuple(_mistake.found)
