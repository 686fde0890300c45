"""What one layer keeps between two passes: the last positions of its keys, its values and its convolution's inputs.

Slots are allocated once. A layer that sees the whole past has a slot for every position. A layer with a window needs
only the last positions: its slots are a ring, in which position p is in slot p mod S, and a new position overwrites the
oldest. What is read is in the order of the positions, so that attention with a cache is attention to the last T of S
positions, as without one.

Dimensions: B rows, G key/value heads, E head width, D model width, S slots, T new positions.
"""

from copy import copy

import torch
from torch import Tensor


class Ring:
    """The last positions of one tensor.

    Args:
        shape: of the tensor but for its last two axes, positions and width.
        width: of its last axis.
        window: positions that one position takes in, itself included.
        n_slots: S, at least the smaller of ``window`` and the most positions.
        dtype: of what is kept.
        device: where it is kept.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int,
        *,
        window: int,
        n_slots: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.window, self.n_slots = window, n_slots
        with torch.inference_mode(False):  # so that it can be written outside inference mode, too
            self.slots = torch.zeros(*shape, n_slots, width, dtype=dtype, device=device)

    def extend(self, new: Tensor, start: int) -> Tensor:
        """Keep new positions, and return them behind those that they can take in.

        Args:
            new: ``(…, T, width)``: positions ``start`` … ``start + T - 1``.
            start: positions that came before.

        Returns:
            ``(…, P + T, width)`` in the dtype of ``new`` or of the slots, the wider one, in the order of the positions;
            P is the smaller of ``start`` and ``window - 1``.
        """
        n_new, n_past = new.shape[-2], min(start, self.window - 1)
        new = new.to(torch.promote_types(new.dtype, self.slots.dtype))
        if n_past + n_new <= self.n_slots:
            self._write(new, start)
            return self._last(n_past + n_new, start + n_new).to(new.dtype)
        both = torch.cat((self._last(n_past, start).to(new.dtype), new), dim=-2)  # before the new overwrite the past
        self._write(new, start)
        return both

    def _write(self, new: Tensor, start: int) -> None:
        kept = min(new.shape[-2], self.n_slots)
        first = (start + new.shape[-2] - kept) % self.n_slots
        if kept == new.shape[-2] <= self.n_slots - first:  # as nearly always: in one piece
            self.slots.narrow(-2, first, kept).copy_(new)
            return
        new, to_the_end = new[..., new.shape[-2] - kept :, :], min(kept, self.n_slots - first)
        self.slots[..., first : first + to_the_end, :] = new[..., :to_the_end, :]
        if to_the_end < kept:
            self.slots[..., : kept - to_the_end, :] = new[..., to_the_end:, :]

    def _last(self, n: int, end: int) -> Tensor:
        """The ``n`` positions before ``end``: a view, unless they go around the end of the ring."""
        first = (end - n) % self.n_slots
        if first + n <= self.n_slots:
            return self.slots.narrow(-2, first, n)
        return torch.cat((self.slots[..., first:, :], self.slots[..., : first + n - self.n_slots, :]), dim=-2)

    def reaches_back(self, newest: int, length: int) -> bool:
        """Whether position ``length`` still finds all that it takes in, after ``newest`` positions were written."""
        return newest - self.n_slots <= max(0, length - self.window + 1)

    def of_rows(self, rows: Tensor) -> "Ring":
        """A copy with these rows, in this order."""
        chosen = copy(self)
        with torch.inference_mode(False):
            chosen.slots = self.slots.index_select(0, rows)
        return chosen


class KeptLayer:
    """What one layer keeps.

    Args:
        keys: ``(B, G, S, E)``, rotated as they are.
        values: ``(B, G, S, E)``.
        inputs: of its convolution, ``(B, S, D)``; ``None`` without one.
    """

    def __init__(self, keys: Ring, values: Ring, inputs: Ring | None = None) -> None:
        self.keys, self.values, self.inputs = keys, values, inputs

    def extend(self, k: Tensor, v: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """New keys and values ``(B, G, T, E)``, kept and returned behind the past ones that they can see."""
        return self.keys.extend(k, start), self.values.extend(v, start)

    def rings(self) -> list[Ring]:
        """All that the layer keeps."""
        return [ring for ring in (self.keys, self.values, self.inputs) if ring is not None]

    def of_rows(self, rows: Tensor) -> "KeptLayer":
        """A copy with these rows, in this order."""
        return KeptLayer(*(ring.of_rows(rows) for ring in self.rings()))
