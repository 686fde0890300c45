"""How a model is told where a token is: one module for each scheme of ``GPTConfig.position``.

A scheme adds something to the token embeddings, or tells attention through the :class:`~minigpt.model.context.Context`
what to do with queries, keys and scores. With "none", causal attention alone lets a model count positions, weakly.

Dimensions: B batch, T positions, D model width, H heads, E head width.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from minigpt.model.context import NO_POSITIONS, Context
from minigpt.model.positions.formulas import Rotation, alibi_slopes, rotary_angles, sinusoidal_positions
from minigpt.model.positions.scaling import UNSCALED, RopeScaling


class Position(nn.Module):
    """No position information; the other schemes override one of the two methods.

    Args:
        context_length: the most positions of a row.
        d_model: D.
        n_heads: H.
        base: of the rotary and sinusoidal wavelengths.
        rope: E and how the rotary frequencies are changed; ``None``: E = D / H, and not at all.
    """

    def __init__(
        self,
        context_length: int,
        d_model: int,
        n_heads: int,
        base: float = 10000.0,
        rope: tuple[int, RopeScaling] | None = None,
    ) -> None:
        super().__init__()
        self.context_length, self.d_model, self.n_heads, self.base = context_length, d_model, n_heads, base
        self.head_width, self.scaling = rope or (d_model // n_heads, UNSCALED)

    def context(self, n_positions: int, device: torch.device, start: int = 0) -> Context:
        """What the layers must know about the positions ``start`` … ``start + n_positions - 1``."""
        return Context(start=start)

    def add_to(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``: the token embeddings, with what is added to them from ``context.start`` on."""
        return x


class SinusoidalPosition(Position):
    """Adds :func:`sinusoidal_positions` to the token embeddings."""

    def add_to(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``."""
        end = context.start + x.shape[1]
        return x + _of_rows(sinusoidal_positions(end, self.d_model, self.base).to(x), context, x.shape[1])


class LearnedPosition(Position):
    """Adds a trained row for each position to the token embeddings."""

    parameter_roles: ClassVar = {"embedding": "position"}

    def __init__(
        self,
        context_length: int,
        d_model: int,
        n_heads: int,
        base: float = 10000.0,
        rope: tuple[int, RopeScaling] | None = None,
    ) -> None:
        super().__init__(context_length, d_model, n_heads, base, rope)
        self.embedding = nn.Embedding(context_length, d_model)

    def add_to(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``."""
        return x + _of_rows(self.embedding.weight, context, x.shape[1])


class RotaryPosition(Position):
    """Rotates queries and keys; pairs are interleaved, as in the paper."""

    layout = "interleaved"

    def context(self, n_positions: int, device: torch.device, start: int = 0) -> Context:
        """With cosines and sines ``(T, E/2)``, in float32 whatever the model's dtype: angles grow to T radians."""
        end, m = start + n_positions, self.scaling.attention_factor
        angles = rotary_angles(end, self.head_width, self.base, scaling=self.scaling, device=device)[start:]
        return Context(start=start, rotation=Rotation(m * angles.cos(), m * angles.sin(), self.layout))


class HalfRotaryPosition(RotaryPosition):
    """Rotates queries and keys; pairs are half a head apart, as in Llama weights."""

    layout = "half"


class ALiBiPosition(Position):
    """Lets the scores fall linearly with the distance."""

    def context(self, n_positions: int, device: torch.device, start: int = 0) -> Context:
        """With slopes ``(H,)`` in float32."""
        return Context(start=start, slopes=alibi_slopes(self.n_heads).to(device))


def _of_rows(table: Tensor, context: Context, n_positions: int) -> Tensor:
    """The rows of a table of positions for the tokens of a pass, ``(T, D)``, or ``(B, T, D)`` where rows are padded.

    Rotations and slopes need no such thing: they act by the distance of two tokens, which padding does not change.
    """
    if context.padding is None:
        return table[context.start : context.start + n_positions]
    return table[context.real_positions(n_positions).clamp(min=0)]


#: The position schemes, by the name that ``GPTConfig.position`` has for them.
POSITIONS: dict[str, type[Position]] = {
    "none": Position,
    "sinusoidal": SinusoidalPosition,
    "learned": LearnedPosition,
    "rope-interleaved": RotaryPosition,
    "rope-half": HalfRotaryPosition,
    "alibi": ALiBiPosition,
}
