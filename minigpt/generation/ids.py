"""Generation on token ids: ask the model for the next token, append it, ask again.

The model sees at most its last ``context_length`` tokens: a longer sequence slides through the window, and what slid
out of it has no influence any more. Nothing is cut from what is returned.

Dimensions: B batch, T prompt tokens, V vocabulary.
"""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Annotated, Protocol

import torch
from torch import Tensor, nn

from minigpt.generation.sampler import Sampler
from minigpt.model import GPT, GPTConfig
from minigpt.model.hooks import evaluation_mode
from minigpt.settings import Range, fit

NewTokens = Annotated[int, Range(0, 10**9)]


class Chooser(Protocol):
    """How a token is chosen: a :class:`~minigpt.generation.sampler.Sampler`, or something around one."""

    def check(self, vocab_size: int) -> None:
        """Raise ValueError if it can't choose from so many tokens."""

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """From ``(B, V)`` logits, and the ``(B, T)`` tokens so far, to ``(B,)`` tokens."""


def generate_ids(
    model: GPT,
    ids: Tensor,
    *,
    max_new_tokens: int,
    generator: torch.Generator,
    sampler: Chooser = Sampler(),
    stop_tokens: Collection[int] = (),
) -> Tensor:
    """Continue each row of ``ids`` by up to ``max_new_tokens`` tokens.

    Args:
        model: maps ``(B, T)`` ids to ``(B, T, V)`` logits.
        ids: ``(B, T)`` int64 with T ≥ 1: prompts of equal length.
        max_new_tokens: the most tokens to add to a row.
        generator: the source of randomness. The draw happens on its device, so a CPU generator gives the same tokens
            for the same probabilities wherever the model runs.
        sampler: chooses each token; the default draws from the model's own distribution.
        stop_tokens: ids that end a row. The stop token is part of the result; a row that has ended repeats it until the
            last row ends.

    Returns:
        ``(B, T + n)`` int64 on the device of the model, n ≤ ``max_new_tokens``.

    Raises:
        ValueError: if ``ids`` are not what the model can take, ``max_new_tokens`` is not a whole number or negative,
            ``top_k`` is above V, the model has no ``config``, or the logits are not finite.
    """
    new_tokens = stream_ids(
        model,
        ids,
        max_new_tokens=max_new_tokens,
        generator=generator,
        sampler=sampler,
        stop_tokens=stop_tokens,
    )
    prompt = ids.to(model_device(model))
    return torch.cat([prompt, *(tokens.unsqueeze(1) for tokens in new_tokens)], dim=1)


def stream_ids(
    model: GPT,
    ids: Tensor,
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
    vocab_size = config_of(model).vocab_size
    sampler.check(vocab_size)
    _check_ids(ids, vocab_size)
    n_steps = fit("max_new_tokens", max_new_tokens, NewTokens)
    stops = torch.tensor(sorted(stop_tokens), dtype=torch.int64, device=model_device(model))

    def steps() -> Iterator[Tensor]:
        sequence = ids.to(stops.device)
        ended = torch.zeros(len(sequence), dtype=torch.bool, device=stops.device)
        for _ in range(n_steps):
            drawn = sampler(_last_logits(model, sequence), generator, sequence)
            token = torch.where(ended, sequence[:, -1], drawn)
            yield token
            ended = ended | torch.isin(token, stops)
            if ended.all():
                return
            sequence = torch.cat([sequence, token.unsqueeze(1)], dim=1)

    return steps()


def config_of(model: GPT) -> GPTConfig:
    """The ``config`` of a model, of which ``vocab_size`` and ``context_length`` are read.

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


def _last_logits(model: GPT, ids: Tensor) -> Tensor:
    """``(B, V)``: the logits after the last token of ``ids``, of which the model sees one context."""
    # Entered for one step only: around a yield, inference mode would leak into the code that reads the stream.
    with evaluation_mode(model), torch.inference_mode():
        logits: Tensor = model(ids[:, -model.config.context_length :])
    return logits[:, -1]


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
