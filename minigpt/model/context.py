"""What one forward pass must know besides its tokens, in one object that every layer hands down.

The position scheme makes it, blocks pass it on, and a layer reads from it what it needs: another fact about the row is
another field here, not another argument of every layer.

Dimensions: B rows, T positions, H heads, E head width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.model.kept import KeptLayer
from minigpt.model.positions.formulas import Rotation


@dataclass(frozen=True, kw_only=True)
class Context:
    """The circumstances of one forward pass.

    Attributes:
        start: the position of the first token of the row, counted from 0.
        rotation: cosines and sines ``(T, E/2)`` by which queries and keys are rotated; ``None``: they are not.
        slopes: ``(H,)`` ALiBi slopes; ``None``: scores do not fall with the distance.
        padding: ``(B,)``: how many of the first tokens of each row, counted from position 0, are padding; ``None``:
            no token is.
        kept: what this layer has kept of the tokens before ``start``; ``None``: there is no cache.
    """

    start: int = 0
    rotation: Rotation | None = None
    slopes: Tensor | None = None
    padding: Tensor | None = None
    kept: KeptLayer | None = None

    def real_positions(self, n_positions: int) -> Tensor:
        """``(B, T)``: the position of each token in its row without the padding; negative for padding."""
        assert self.padding is not None
        slots = torch.arange(self.start, self.start + n_positions, device=self.padding.device)
        return slots - self.padding[:, None]


#: The context of rows whose positions nobody gives: queries and keys are not rotated, scores do not fall.
NO_POSITIONS = Context()
