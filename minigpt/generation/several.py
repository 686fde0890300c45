"""Several texts at once: each row of a batch has its own draws, and its own end."""

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.generation.ids import Chooser
from minigpt.generation.matching.constraints import Constrained
from minigpt.generation.opening import Opening


class OwnDraws:
    """A way to choose tokens in which each row has its own chooser and its own generator.

    Args:
        rows: the chooser of each row and the seed of its generator.
    """

    def __init__(self, rows: Sequence[tuple[Chooser, int]]) -> None:
        self.rows = [(chooser, torch.Generator().manual_seed(seed)) for chooser, seed in rows]

    def check(self, vocab_size: int) -> None:
        """As :meth:`~minigpt.generation.sampler.Sampler.check`, same arguments."""
        for chooser, _ in self.rows:
            chooser.check(vocab_size)

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """``(B, V)`` logits and ``(B, T)`` tokens so far → ``(B,)``; ``generator`` is not used."""
        rows = zip(logits, ids, self.rows, strict=True)
        return torch.cat([choose(row[None], own, so_far[None]) for row, so_far, (choose, own) in rows])


class Writing:
    """One text while it grows: it knows when it has ended.

    Args:
        start: its prompt.
        n_new: the most tokens that it takes.
    """

    def __init__(self, start: Opening, n_new: int) -> None:
        self.start, self.n_new = start, n_new
        self.tokens: list[int] = []
        self.n_written, self.written = 0, b""
        self.ended = isinstance(start.chooser, Constrained) and start.chooser.ended

    def add(self, token: int) -> bool:
        """Take one token more, and tell whether the text has ended with it."""
        self.tokens.append(token)
        chooser = self.start.chooser
        if isinstance(chooser, Constrained) and chooser.ended:
            self.ended = True
            return True
        if token in self.start.stop_tokens or token >= self.start.tokenizer.vocab_size:
            self.ended = True
            return True
        new = self.start.tokenizer.token_bytes(token)
        self.written += new
        self.n_written += len(self.written) > len(self.start.rest)
        stops = [stop.encode() for stop in self.start.stop_strings]
        fresh = self.written[len(self.start.rest) :]
        self.ended = self.n_written >= self.n_new or any(s in fresh[-len(s) - len(new) + 1 :] for s in stops)
        return self.ended

    def text(self) -> str:
        """The text so far, without the prompt."""
        return "".join(self.start.text(iter(self.tokens), self.n_new))
