"""The taps within attention, whose terms are no modules: the formula again, with a tap after each term.

Dimensions: B batch, T positions, D model width, H query heads, G key/value heads, E head width.
"""

from collections.abc import Callable, Iterator

import torch
from einops import einsum, rearrange
from torch import Tensor, nn

from minigpt.microscope.handlers import Handler, Handlers, Remembered, Taps
from minigpt.model import CausalSelfAttention, Pattern, softmax
from minigpt.model.backends import attention_scores
from minigpt.model.heads import share_heads

#: A way to compute attention, as ``minigpt.model.ATTENTION`` has them.
Attend = Callable[[Tensor, Tensor, Tensor, Pattern], Tensor]


def attention_handlers(attention: CausalSelfAttention, prefix: str, taps: Taps) -> Iterator[Handlers]:
    """What the modules of attention show: q, k, v, and the outputs of the heads."""
    n_q, n_kv, entered = attention.n_heads, attention.n_kv_heads, Remembered()

    def projected(x: Tensor) -> Tensor:
        parts = rearrange(x, "b t (n e) -> b t n e", n=n_q + 2 * n_kv).split([n_q, n_kv, n_kv], dim=2)
        seen = [taps.at(f"{prefix}hook_{name}", part) for name, part in zip("qkv", parts, strict=True)]
        unchanged = all(one is other for one, other in zip(parts, seen, strict=True))
        return x if unchanged else rearrange(torch.cat(seen, dim=2), "b t n e -> b t (n e)")

    def normalised(name: str) -> Handler:
        def leaves(x: Tensor) -> Tensor:
            seen = taps.at(f"{prefix}{name}_norm.hook_normalized", rearrange(x, "b n t e -> b t n e"))
            return rearrange(seen, "b t n e -> b n t e")

        return leaves

    def mixed(x: Tensor) -> Tensor:
        z = taps.at(f"{prefix}hook_z", rearrange(x, "b t (h e) -> b t h e", h=n_q))
        entered.x = z
        return rearrange(z, "b t h e -> b t (h e)")

    def written(y: Tensor) -> Tensor:
        if not taps.wants(f"{prefix}hook_result"):
            return y
        result = result_of(attention, entered.x)
        replacement = taps.at(f"{prefix}hook_result", result)
        bias = attention.project_out.bias
        return y if replacement is result else replacement.sum(2) + (0 if bias is None else bias)

    yield attention.project_qkv, (None, projected)
    if not isinstance(attention.norm_q, nn.Identity):
        yield attention.norm_q, (None, normalised("q"))
        yield attention.norm_k, (None, normalised("k"))
    yield attention.project_out, (mixed, written)


def result_of(attention: CausalSelfAttention, z: Tensor) -> Tensor:
    """What each head adds to the stream; their sum and the bias is what attention adds.

    Args:
        attention: the layer.
        z: ``(B, T, H, E)``.

    Returns:
        ``(B, T, H, D)``.
    """
    w_o = rearrange(attention.project_out.weight, "d (h e) -> h e d", h=attention.n_heads)
    return einsum(z, w_o, "b t h e, h e d -> b t h d")


def tapped_attend(attend: Attend, prefix: str, taps: Taps) -> Attend:
    """A way to compute attention, with taps on what it gets and, where they are asked for, on its terms.

    Args:
        attend: the way of the layer.
        prefix: of the names, such as ``"blocks.0.attn.hook_"``.
        taps: what is asked for.
    """
    shows_weights = taps.wants(prefix + "attn_scores", prefix + "pattern")

    def rotated(name: str, x: Tensor) -> Tensor:
        return rearrange(taps.at(prefix + name, rearrange(x, "b n t e -> b t n e")), "b t n e -> b n t e")

    def tapped_attention(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
        q, k = rotated("rot_q", q), rotated("rot_k", k)
        if not shows_weights:
            return attend(q, k, v, pattern)
        scores = taps.at(prefix + "attn_scores", attention_scores(q, k, pattern))
        weights = taps.at(prefix + "pattern", softmax(scores))
        return einsum(weights, share_heads(v, q.shape[1]), "b h t s, b h s e -> b h t e")

    return tapped_attention
