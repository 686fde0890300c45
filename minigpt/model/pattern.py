"""Which past positions attention reads, and how much, said without a table of all pairs.

Dimensions: B batch, H query heads, T query positions, S key positions.
Mask polarity: True = may attend.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.model.attention import causal_mask


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Which past positions count, and how much, said without a T × S tensor.

    Attributes:
        window: a query sees itself and the ``window - 1`` positions before it; ``None``: the whole past.
        slopes: ``(H,)`` ALiBi slopes; the score falls by slope × distance. ``None``: no such penalty.
        scale: factor on every score; ``None`` means 1/√E.
        dropout: the share of weights set to 0 (the others scaled up); 0 outside training.
        padding: ``(B,)``: how many of the first keys of each row are padding, which no query behind them sees, 0 or
            less for none; ``None``: no key is.
    """

    window: int | None = None
    slopes: Tensor | None = None
    scale: float | None = None
    dropout: float = 0.0
    padding: Tensor | None = None


def visible_keys(n_queries: int, n_keys: int, pattern: Pattern, device: torch.device) -> Tensor:
    """Which keys a pattern lets each query attend to.

    Padding sees the padding before it, so that its rows are numbers like any others; nothing reads them.

    Args:
        n_queries: T, the last of the S positions.
        n_keys: S.
        pattern: of which the window and the padding are read.
        device: where the mask is made.

    Returns:
        ``(T, S)``, or ``(B, 1, T, S)`` where rows are padded; True = may attend.
    """
    mask = causal_mask(n_queries, n_keys, window=pattern.window, device=device)
    if pattern.padding is None:
        return mask
    real = torch.arange(n_keys, device=device) >= pattern.padding.to(device)[:, None]
    of_queries = real[:, n_keys - n_queries :]
    return mask & (real[:, None, None, :] | ~of_queries[:, None, :, None])
