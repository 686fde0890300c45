r"""The cache of a model that writes: what every layer keeps of the positions so far, for a number of rows.

A position's keys and values depend on the positions up to it alone. So they are computed once and kept, and a step
computes only the new tokens: attention of the last T of S positions. :func:`minigpt.learn.cached_step` is the equation
of one step; the same model without a cache is the reference.

Rows of unequal length are padded on the left. The padding is a number a row: real positions are counted from the first
real token, and no real token sees what is before it.

Dimensions: B rows, T new tokens, S positions, L layers, G key/value heads, E head width, D model width.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from minigpt.model.config import GPTConfig
from minigpt.model.context import Context
from minigpt.model.kept import KeptLayer, Ring

SPARE = 16  # tokens that can be taken back where a layer keeps a window only


class Cache:
    """The keys and values of the tokens that a model has read; :meth:`minigpt.model.gpt.GPT.new_cache` makes one.

    Its memory is that of :func:`minigpt.cost.kv_cache_bytes`, of ``SPARE`` more positions where layers have a window,
    and of the inputs of convolutions.

    Args:
        config: of the model.
        n_rows: B.
        n_positions: the most tokens that a row can have, padding included.
        padding: how many of the first tokens of each row are padding; by default none.
        dtype: of what is kept.
        device: of the model.

    Attributes:
        length: tokens that every row has so far, padding included.

    Raises:
        ValueError: if a number is outside its range.
    """

    def __init__(
        self,
        config: GPTConfig,
        n_rows: int,
        n_positions: int,
        *,
        padding: Sequence[int] = (),
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        _check_size(config, n_rows, n_positions, padding)
        self.config, self.n_rows, self.n_positions = config, n_rows, n_positions
        self.dtype, self.device = dtype, torch.device(device)
        self.padding = torch.tensor(padding, device=device) if any(padding) else None
        self.layers = [self._new_layer(window) for window in config.windows]
        self.length = self._newest = 0

    def _new_layer(self, window: int | None) -> KeptLayer:
        config, rows = self.config, self.n_rows
        heads, taps = (rows, config.kv_heads), config.convolution
        keys, values = (self._ring(heads, config.head_width, window) for _ in range(2))
        return KeptLayer(keys, values, None if taps is None else self._ring((rows,), config.d_model, taps))

    def _ring(self, shape: tuple[int, ...], width: int, window: int | None) -> Ring:
        window = self.n_positions if window is None else window
        n_slots = min(self.n_positions, window + SPARE)
        return Ring(shape, width, window=window, n_slots=n_slots, dtype=self.dtype, device=self.device)

    def context(self, context: Context) -> Context:
        """What a pass over new tokens must know, from what the positions alone tell; the padding is added."""
        return context if self.padding is None else replace(context, padding=self.padding)

    def of_layer(self, index: int, context: Context) -> Context:
        """The same for one layer, with what this layer has kept."""
        return replace(context, kept=self.layers[index])

    def begin(self, ids: Tensor, config: GPTConfig) -> None:
        """Check that new tokens fit; :meth:`advance` ends the pass over them.

        Args:
            ids: ``(B, T)``.
            config: of the model that reads them.

        Raises:
            ValueError: if the cache is full, belongs to another model, has other rows, is on another device, or holds
                half of a pass that was interrupted; or if gradients are wanted.
        """
        if config != self.config:
            raise ValueError("the cache was made for a model of another shape; make one with model.new_cache(…)")
        if ids.shape[0] != self.n_rows:
            raise ValueError(f"got {ids.shape[0]} rows of ids; the cache has {self.n_rows}: see fork to choose rows")
        if ids.device != self.device:
            raise ValueError(f"ids are on {ids.device}, the cache on {self.device}; make it with model.new_cache(…)")
        if self.length + ids.shape[1] > self.n_positions:
            raise ValueError(
                f"the cache is full: it holds {self.length} of n_positions={self.n_positions} tokens and got "
                f"{ids.shape[1]} more; make a longer one, or roll_back(0) and read the last tokens anew"
            )
        if not self.can_roll_back(self.length):
            raise ValueError("a pass with this cache was interrupted; roll_back(0) and read the tokens anew")
        if torch.is_grad_enabled():
            raise ValueError("a cache keeps no gradients: call the model within torch.no_grad(), or without a cache")
        self._newest = max(self._newest, self.length + ids.shape[1])

    def advance(self, n_tokens: int) -> None:
        """All layers have kept ``n_tokens`` more."""
        self.length += n_tokens

    def can_roll_back(self, length: int) -> bool:
        """Whether all that position ``length`` will need is still kept; without windows it always is.

        Args:
            length: tokens, 0 ≤ ``length`` ≤ ``self.length``.
        """
        return all(ring.reaches_back(self._newest, length) for layer in self.layers for ring in layer.rings())

    def roll_back(self, length: int) -> None:
        """Forget all but the first ``length`` tokens of every row, padding included.

        Raises:
            ValueError: if the cache holds fewer, or a layer's window has moved on too far to go back.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"roll_back({length}): the cache holds {self.length} tokens; expected 0 to {self.length}")
        if length and not self.can_roll_back(length):
            raise ValueError(
                f"roll_back({length}): of {self.length} tokens, a layer with a window can take back {SPARE}; "
                "roll_back(0) and read the tokens anew"
            )
        self.length = length
        self._newest = self._newest if length else 0

    def fork(self, rows: Sequence[int] | Tensor) -> "Cache":
        """A copy that has the rows ``rows`` of this one, in this order; a row may come several times, or not at all.

        Args:
            rows: numbers of rows, from 0.

        Raises:
            ValueError: if there is no such row, or none is chosen.
        """
        chosen = torch.as_tensor(rows, dtype=torch.int64, device=self.device)
        if chosen.ndim != 1 or not len(chosen) or int(chosen.min()) < 0 or int(chosen.max()) >= self.n_rows:
            raise ValueError(f"fork({rows}): expected a list of row numbers, each from 0 to {self.n_rows - 1}")
        forked = copy(self)
        forked.n_rows = len(chosen)
        forked.padding = None if self.padding is None else self.padding[chosen]
        forked.layers = [layer.of_rows(chosen) for layer in self.layers]
        return forked

    @property
    def n_bytes(self) -> int:
        """Bytes of all that is kept."""
        rings = [ring for layer in self.layers for ring in layer.rings()]
        return sum(ring.slots.nbytes for ring in rings)


def _check_size(config: GPTConfig, n_rows: int, n_positions: int, padding: Sequence[int]) -> None:
    if n_rows < 1:
        raise ValueError(f"n_rows={n_rows} must be at least 1")
    if not 1 <= n_positions <= config.context_length:
        raise ValueError(f"n_positions={n_positions} must be from 1 to context_length={config.context_length}")
    if padding and len(padding) != n_rows:
        raise ValueError(f"padding has {len(padding)} numbers; expected one for each of the {n_rows} rows")
    if padding and not 0 <= min(padding) <= max(padding) < n_positions:
        raise ValueError(f"padding={list(padding)} must be from 0 to {n_positions - 1}: each row has a real token")
