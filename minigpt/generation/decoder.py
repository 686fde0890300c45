"""What comes after the last token: the model's logits, where nothing that was computed before is computed again.

A decoder is asked about whole rows of tokens, and keeps a cache of those that it was asked about last. Of the next rows
only what comes after their common beginning is computed, so a loop that appends tokens, a conversation that goes on,
and several endings of one beginning all cost what is new in them.

A model sees at most ``context_length`` tokens. Longer rows are seen from their last ``context_length`` tokens on, which
moves all positions at each step, so that nothing can be kept: each step computes the whole context.

Dimensions: B rows, T tokens, V vocabulary.
"""

from collections.abc import Sequence
from itertools import chain
from threading import RLock

import torch
from torch import Tensor, nn

from minigpt.generation.speculation.draft import Draft
from minigpt.model import GPT, Cache, GPTConfig
from minigpt.model.hooks import evaluation_mode
from minigpt.settings import whole_number

PROMPT_CHUNK = 512  # tokens of a prompt that are read in one pass: bounds the memory of their attention


class Decoder:
    """The next-token logits of rows of tokens.

    After an update by an optimizer of minigpt, or another change of the weights in place that PyTorch counts, all is
    read anew. Where the model gets other modules or hooks, make a new decoder.

    Threads may share one, which they use in turns; each with a decoder of its own keeps more of what it has read.

    Args:
        model: maps ``(B, T)`` ids to ``(B, T, V)`` logits. One with ``new_cache``, as :class:`~minigpt.model.GPT` has,
            computes only what is new.
        n_positions: the most tokens of a row that a cache is made for, at first; by default the model's context.
        cached: False computes every row anew, from its first token on: the reference.
        draft: proposes the tokens of a single row, which are drawn faster then; see
            :mod:`minigpt.generation.speculation.steps`.

    Raises:
        ValueError: if the model has no ``config`` with ``vocab_size`` and ``context_length``, or ``n_positions`` is not
            a whole number of at least 1.
    """

    def __init__(
        self, model: GPT, n_positions: int | None = None, *, cached: bool = True, draft: Draft | None = None
    ) -> None:
        self.config, self.draft = config_of(model), draft
        self.model, self.cached = model, cached and hasattr(model, "new_cache")
        limit = self.config.context_length
        self.n_positions = limit if n_positions is None else min(whole_number("n_positions", n_positions, 1), limit)
        self.cache: Cache | None = None
        self.padding: tuple[int, ...] = ()
        self.read = torch.zeros(0, 0, dtype=torch.int64)
        self._lock = RLock()
        weights = chain(model.parameters(), model.buffers()) if self.cached else ()
        self._weights = [x for x in weights if not x.is_inference()]
        self._versions: list[int] = []  # of the weights with which the rows were read

    def __call__(self, rows: Tensor, padding: Sequence[int] = ()) -> Tensor:
        """The logits after the last token of each row.

        Args:
            rows: ``(B, T)`` int64, on the device of the model.
            padding: how many of the first tokens of each row are padding; by default none.

        Returns:
            ``(B, V)``.
        """
        return self.after_last(rows, 1, padding)[:, 0]

    def after_last(self, rows: Tensor, n: int, padding: Sequence[int] = ()) -> Tensor:
        """The logits after each of the last ``n`` tokens of each row.

        Args:
            rows: ``(B, T)`` int64, on the device of the model; if n > 1, T is at most the model's context.
            n: 1 … T.
            padding: how many of the first tokens of each row are padding; by default none.

        Returns:
            ``(B, n, V)``.
        """
        padding = tuple(padding) if any(padding) else ()
        # Entered for one step only: around a yield, inference mode would leak into the code that reads the stream.
        with self._lock, evaluation_mode(self.model), torch.inference_mode():
            if self.cached and rows.shape[1] <= self.config.context_length:
                return self._continue(rows, n, padding)
            limit = self.config.context_length
            seen = [rows] if not padding else [row[None, n:] for row, n in zip(rows, padding, strict=True)]
            return torch.cat([self.model(each[:, -limit:])[:, -n:] for each in seen])

    def keep(self, rows: Sequence[int] | Tensor) -> None:
        """Go on with some of the rows that were read, as :meth:`~minigpt.model.cache.Cache.fork` chooses them.

        Args:
            rows: numbers of rows, from 0; a row may come several times.
        """
        with self._lock:
            chosen = torch.as_tensor(rows, device=self.read.device)
            if self.cache is None or int(chosen.max()) >= self.cache.n_rows:  # another thread has read other rows
                return
            self.cache, self.read = self.cache.fork(chosen), self.read[chosen]
            if self.padding:
                self.padding = tuple(self.padding[row] for row in chosen.tolist())

    def _continue(self, rows: Tensor, n: int, padding: tuple[int, ...]) -> Tensor:
        cache = self._cache_for(rows, n, padding)
        self.read = rows.clone()  # the caller may change his rows in place
        last: list[Tensor] = []
        for part in rows[:, cache.length :].split(PROMPT_CHUNK, dim=1):
            last = [torch.cat([*last, self.model.features(part, cache)], dim=1)[:, -n:].contiguous()]
        logits: Tensor = self.model.head(last[0])  # of the last positions alone, not of the whole prompt
        return logits

    def _cache_for(self, rows: Tensor, n: int, padding: tuple[int, ...]) -> Cache:
        """The cache with what the rows have in common with those that were read, but for the last n tokens."""
        n_rows, length = rows.shape
        versions = [x._version for x in self._weights]
        cache = self.cache if versions == self._versions else None
        self._versions = versions
        if cache is None or cache.n_rows != n_rows or self.padding != padding or cache.n_positions < length:
            if length > self.n_positions:  # doubled, as each new cache reads all tokens anew
                self.n_positions = max(length, min(2 * self.n_positions, self.config.context_length))
            cache = self.model.new_cache(n_rows, self.n_positions, padding=padding)
            self.cache, self.padding = cache, padding
            return cache
        shared = min(cache.length, length - n)
        different = (self.read[:, :shared] != rows[:, :shared]).any(dim=0).nonzero()
        shared = int(different[0]) if len(different) else shared
        if shared < cache.length or not cache.can_roll_back(shared):
            cache.roll_back(shared if cache.can_roll_back(shared) else 0)
        return cache


def config_of(model: "GPT | Decoder") -> GPTConfig:
    """The ``config`` of a model or a decoder, of which ``vocab_size`` and ``context_length`` are read.

    Raises:
        ValueError: if the model has none, as a module of one's own may not.
    """
    config = getattr(model, "config", None)
    if missing := [name for name in ("vocab_size", "context_length") if not hasattr(config, name)]:
        raise ValueError(
            f"{type(model).__name__} has no config.{' and no config.'.join(missing)}, which generation needs; "
            "give the model one: self.config = mg.GPTConfig(vocab_size=…, context_length=…)"
        )
    found: GPTConfig = model.config
    return found


def model_device(model: nn.Module) -> torch.device:
    """The device of the first parameter or buffer of ``model``."""
    return next(chain(model.parameters(), model.buffers())).device
