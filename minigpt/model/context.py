"""What one forward pass must know besides its tokens, in one object that every layer hands down.

The position scheme makes it, blocks pass it on, and a layer reads from it what it needs: another fact about the row is
another field here, not another argument of every layer.

Dimensions: T positions, H heads, E head width.
"""

from dataclasses import dataclass

from torch import Tensor

from minigpt.model.positions.formulas import Rotation


@dataclass(frozen=True, kw_only=True)
class Context:
    """The circumstances of one forward pass.

    Attributes:
        start: the position of the first token of the row, counted from 0.
        rotation: cosines and sines ``(T, E/2)`` by which queries and keys are rotated; ``None``: they are not.
        slopes: ``(H,)`` ALiBi slopes; ``None``: scores do not fall with the distance.
    """

    start: int = 0
    rotation: Rotation | None = None
    slopes: Tensor | None = None


#: The context of rows whose positions nobody gives: queries and keys are not rotated, scores do not fall.
NO_POSITIONS = Context()
