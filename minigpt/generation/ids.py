"""Generation on token ids: ask the model for the next token, append it, ask again.

The model sees at most its last ``context_length`` tokens: a longer sequence slides through the window, and what slid
out of it has no influence any more. Nothing is cut from what is returned. Within the context, what was computed for
the tokens so far is kept: :mod:`minigpt.generation.decoder`.

Dimensions: B batch, T prompt tokens, V vocabulary.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Protocol, TypeVar

import torch
from torch import Tensor

from minigpt.generation.decoder import Decoder, config_of, model_device
from minigpt.generation.ranges import check_stop_tokens
from minigpt.generation.sampler import Sampler
from minigpt.generation.speculation.steps import speculative_steps
from minigpt.model import GPT
from minigpt.settings import Range, fit, shown

NewTokens = Annotated[int, Range(0, 10**9)]
#: Prompts of equal length in one tensor ``(B, T)``, or of any length in a list of tensors ``(T,)``.
Prompts = TypeVar("Prompts", Tensor, list[Tensor])


class Chooser(Protocol):
    """How a token is chosen: a :class:`~minigpt.generation.sampler.Sampler`, or something around one."""

    def check(self, vocab_size: int) -> None:
        """Raise ValueError if it can't choose from so many tokens."""

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """From ``(B, V)`` logits, and the ``(B, T)`` tokens so far, to ``(B,)`` tokens."""


def generate_ids(
    model: GPT | Decoder,
    ids: Prompts,
    *,
    max_new_tokens: int,
    generator: torch.Generator,
    sampler: Chooser = Sampler(),
    stop_tokens: Collection[int] = (),
) -> Prompts:
    """Continue each row of ``ids`` by up to ``max_new_tokens`` tokens.

    Args:
        model: maps ``(B, T)`` ids to ``(B, T, V)`` logits; or a :class:`~minigpt.generation.decoder.Decoder` of it.
        ids: ``(B, T)`` int64 with T ≥ 1: prompts of equal length; or a list of them, ``(T,)`` each, of any length. Each
            is continued as it would be alone, but that they share the draws of one generator.
        max_new_tokens: the most tokens to add to a row.
        generator: the source of randomness. The draw happens on its device, so a CPU generator gives the same tokens
            for the same probabilities wherever the model runs.
        sampler: chooses each token; the default draws from the model's own distribution.
        stop_tokens: ids that end a row. The stop token is part of the result. In a tensor, a row that has ended
            repeats it until the last row ends; in a list, it is the last token of its row.

    Returns:
        ``(B, T + n)`` int64 on the device of the model, n ≤ ``max_new_tokens``; or a list with a row for each prompt.

    Raises:
        ValueError: if ``ids`` are not what the model can take, ``max_new_tokens`` is not a whole number or negative,
            ``top_k`` is above V, the model has no ``config``, or the logits are not finite.
    """
    n_steps = fit("max_new_tokens", max_new_tokens, NewTokens)
    rows = new_rows(model, ids, n_steps, sampler, stop_tokens)
    for _ in rows.steps(n_steps, generator):
        pass
    if isinstance(ids, Tensor):
        return rows.tokens
    return [row[n : n + length] for row, n, length in zip(rows.tokens, rows.padding, rows.lengths, strict=True)]


def stream_ids(
    model: GPT | Decoder,
    ids: Tensor | list[Tensor],
    *,
    max_new_tokens: int,
    generator: torch.Generator,
    sampler: Chooser = Sampler(),
    stop_tokens: Collection[int] = (),
) -> Iterator[Tensor]:
    """Yield the new tokens of :func:`generate_ids` one step at a time, each ``(B,)`` int64; same arguments.

    Between two tokens the model is in the mode (train or eval) that its owner left it in.

    Raises:
        ValueError: as :func:`generate_ids`, at the call, before the first token is asked for.
    """
    n_steps = fit("max_new_tokens", max_new_tokens, NewTokens)
    return new_rows(model, ids, n_steps, sampler, stop_tokens).steps(n_steps, generator)


class Rows:
    """Rows of tokens that grow by one a step, until they have ended.

    Args:
        decoder: of the model.
        tokens: ``(B, T)`` int64 on the device of the model: the prompts.
        padding: how many of the first tokens of each row are padding.
        sampler: chooses each token.
        stop_tokens: ids that end a row.

    Attributes:
        ended: ``(B,)`` boolean; a reader may end a row, too. Rows that have ended are not computed any more.
    """

    def __init__(
        self, decoder: Decoder, tokens: Tensor, padding: Sequence[int], sampler: Chooser, stop_tokens: Collection[int]
    ) -> None:
        self.decoder, self.tokens, self.padding, self.sampler = decoder, tokens, list(padding), sampler
        self.stops = torch.tensor(check_stop_tokens(stop_tokens), dtype=torch.int64, device=tokens.device)
        self.ended = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
        self.lengths = [tokens.shape[1] - n for n in padding]  # of each row, without padding and after its end
        self._live = torch.arange(len(tokens), device=tokens.device)  # the rows that the decoder has

    def steps(self, n_steps: int, generator: torch.Generator) -> Iterator[Tensor]:
        """The new tokens, ``(B,)`` a step; a row that has ended repeats its last token.

        Args:
            n_steps: the most steps.
            generator: the source of randomness.
        """
        for drawn in self._drawn(n_steps, generator):
            token = torch.where(self.ended, self.tokens[:, -1], drawn)
            self.lengths = [n + (not done) for n, done in zip(self.lengths, self.ended.tolist(), strict=True)]
            self.tokens = torch.cat([self.tokens, token.unsqueeze(1)], dim=1)
            self.ended = self.ended | torch.isin(token, self.stops)
            yield token
            if self.ended.all():
                return

    def _drawn(self, n_steps: int, generator: torch.Generator) -> Iterator[Tensor]:
        """What is drawn for each row, ``(B,)`` a step; of rows that have ended, anything."""
        draft = self.decoder.draft
        if draft is not None and len(self.tokens) == 1 and isinstance(self.sampler, Sampler):
            yield from speculative_steps(self.decoder, draft, self.tokens, self.sampler, n_steps, generator)
            return
        for _ in range(n_steps):
            yield self.sampler(self._logits(), generator, self.tokens)

    def _logits(self) -> Tensor:
        """``(B, V)``: the logits of the rows that have not ended, and zeros for the others."""
        goes_on = ~self.ended[self._live]
        if not goes_on.all():
            self.decoder.keep(goes_on.nonzero().squeeze(1))
            self._live = self._live[goes_on]
        live = self._live.tolist()
        logits = self.decoder(self.tokens[self._live], [self.padding[row] for row in live])
        if len(live) == len(self.tokens):
            return logits
        everywhere = logits.new_zeros(len(self.tokens), logits.shape[1])
        everywhere[self._live] = logits
        return everywhere


def new_rows(
    model: GPT | Decoder, ids: Tensor | list[Tensor], n_steps: int, sampler: Chooser, stop_tokens: Collection[int]
) -> Rows:
    """The rows at their prompts, with everything checked.

    Args:
        model: as :func:`generate_ids`.
        ids: the prompts.
        n_steps: the most tokens to add.
        sampler: chooses each token.
        stop_tokens: ids that end a row.

    Raises:
        ValueError: as :func:`generate_ids`.
    """
    vocab_size = config_of(model).vocab_size
    check_no_match(sampler)
    sampler.check(vocab_size)
    prompts = [ids] if isinstance(ids, Tensor) else _as_rows(ids)
    for prompt in prompts:
        _check_ids(prompt, vocab_size)
    longest = max(prompt.shape[1] for prompt in prompts)
    padding = [longest - prompt.shape[1] for prompt in prompts for _ in prompt]
    # padded with its own first token, which adds nothing to the tokens that a row has
    tokens = torch.cat([torch.cat([p[:, :1].expand(-1, longest - p.shape[1]), p], dim=1) for p in prompts])
    decoder = model if isinstance(model, Decoder) else Decoder(model, longest + n_steps)
    return Rows(decoder, tokens.to(model_device(decoder.model)), padding, sampler, stop_tokens)


def check_no_match(sampler: Chooser) -> None:
    """Refuse a sampler that has a text to match, where tokens have no text.

    Raises:
        ValueError: if it has.
    """
    if isinstance(sampler, Sampler) and sampler.match is not None:
        raise ValueError(
            f"match={shown(sampler.match)} needs the text of the tokens, and here are ids alone; use "
            "minigpt.generate or minigpt.stream"
        )


def _as_rows(ids: list[Tensor]) -> list[Tensor]:
    if not isinstance(ids, list) or not ids or not all(isinstance(row, Tensor) and row.ndim == 1 for row in ids):
        raise ValueError("ids must be a tensor (B, T), or a list of at least one tensor (T,), a prompt each")
    return [row.unsqueeze(0) for row in ids]


def _check_ids(ids: Tensor, vocab_size: int) -> None:
    if ids.ndim != 2 or ids.dtype != torch.int64:
        raise ValueError(
            f"ids have shape {tuple(ids.shape)} and dtype {ids.dtype}; expected (B, T) and torch.int64, "
            "for one prompt torch.tensor([tokenizer.encode(prompt)])"
        )
    if ids.numel() == 0:
        raise ValueError(f"ids of shape {tuple(ids.shape)} hold no token; the model needs at least one to start from")
    lowest, highest = int(ids.min()), int(ids.max())
    if lowest < 0 or highest >= vocab_size:
        raise ValueError(
            f"token id {lowest if lowest < 0 else highest} is outside the model's vocabulary of {vocab_size} tokens "
            f"(0 … {vocab_size - 1}); encode the prompt with the tokenizer that the model was trained with"
        )
