"""Generation on text: a prompt in, the prompt and its continuation out, whole or as a stream.

The prompt is taken as it is, unless the borders of the documents are given that the model was trained on: then it is
the start of such a document. An empty prompt without a border starts from the tokenizer's ``<|endoftext|>``. A prompt
longer than the model's context is kept whole in the result, while the model sees its last ``context_length`` tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import torch

from minigpt.generation.borders import NO_BORDERS, Borders
from minigpt.generation.decoder import Decoder
from minigpt.generation.ids import NewTokens, new_rows, stream_ids
from minigpt.generation.opening import prepared
from minigpt.generation.sampler import Sampler
from minigpt.generation.several import OwnDraws, Writing
from minigpt.model import GPT
from minigpt.settings import Range, fit, shown
from minigpt.text import Tokenizer

Seed = Annotated[int, Range(-(2**63), 2**64 - 1)]  # what a torch.Generator takes
Text = TypeVar("Text", str, list[str])


def generate(
    model: GPT | Decoder,
    tokenizer: Tokenizer,
    prompt: Text,
    *,
    max_new_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
    logit_bias: Mapping[int, float] | None = None,
    match: str | Sequence[str] | None = None,
    stop: str | Sequence[str] = (),
    borders: Borders = NO_BORDERS,
    seed: int = 0,
) -> Text:
    """Continue ``prompt`` with text drawn from ``model``.

    The same arguments give the same text: the draws come from a generator of their own, on the CPU, made from ``seed``.

    Args:
        model: maps ``(B, T)`` ids to ``(B, T, V)`` logits; or a :class:`~minigpt.generation.decoder.Decoder` of it.
        tokenizer: the one that the model was trained with.
        prompt: the text to continue; if empty, the start of a document. Or a list of them, which are continued at
            once, the first with ``seed``, the next with ``seed + 1``, ….
        max_new_tokens: the most tokens to add.
        temperature: 0 for greedy, below 1 for safer text, above 1 for bolder text.
        top_k: draw from this many most probable tokens; ``None`` for all.
        top_p: draw from the smallest set of tokens of this mass; ``None`` for all.
        min_p: draw from the tokens that have at least this share of the largest probability; ``None`` for all.
        repetition_penalty: above 1, tokens that the text has already become less likely.
        logit_bias: nats added to the logits of tokens, by id; ``-inf`` forbids a token.
        match: a regular expression that the continuation must match, or a list of texts of which it is one; it ends
            where it matches, and where the text may go on after a match, a border or stop that is a token decides.
        stop: strings, or names of special tokens, before which the continuation ends; the prompt is not searched.
        borders: of the documents that the model was trained on: the prompt continues the border before one, and the
            text ends where a document does; by default the prompt is taken as it is.
        seed: chooses one of the possible texts.

    Returns:
        The prompt and its continuation, without the stop string; of a list, a list.

    Raises:
        ValueError: if the tokenizer does not fit the model, the prompt is empty and there is nothing to start from, a
            setting is outside its range, or the logits are not finite.
    """
    sampler = Sampler(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        logit_bias=logit_bias,
        match=match,
    )
    borders = fit("borders", borders, Borders).stopping(stop)
    settings: dict[str, Any] = {"max_new_tokens": max_new_tokens, "borders": borders, "seed": seed}
    if isinstance(prompt, str):
        return prompt + "".join(stream_text(model, tokenizer, prompt, sampler, **settings))
    written = write_texts(model, tokenizer, prompt, sampler, **settings)
    return [start + text for start, text in zip(prompt, written, strict=True)]


def stream(
    model: GPT | Decoder,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    max_new_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
    logit_bias: Mapping[int, float] | None = None,
    match: str | Sequence[str] | None = None,
    stop: str | Sequence[str] = (),
    borders: Borders = NO_BORDERS,
    seed: int = 0,
) -> Iterator[str]:
    """Yield the continuation of :func:`generate` piece by piece as it is drawn, without the prompt; same arguments.

    A piece never ends inside a UTF-8 sequence or holds a part of a stop string.

    Raises:
        ValueError: as :func:`generate`, at the call and not at the first piece.
    """
    sampler = Sampler(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        logit_bias=logit_bias,
        match=match,
    )
    borders = fit("borders", borders, Borders).stopping(stop)
    return stream_text(model, tokenizer, prompt, sampler, max_new_tokens=max_new_tokens, borders=borders, seed=seed)


def stream_text(
    model: GPT | Decoder,
    tokenizer: Tokenizer,
    prompt: str,
    sampler: Sampler,
    *,
    max_new_tokens: int,
    borders: Borders = NO_BORDERS,
    seed: int = 0,
) -> Iterator[str]:
    """:func:`stream` for callers that have a :class:`Sampler`; the other arguments are those of :func:`generate`.

    Raises:
        ValueError: as :func:`generate`, at the call and not at the first piece.
    """
    n_new, seed = fit("max_new_tokens", max_new_tokens, NewTokens), fit("seed", seed, Seed)
    start = prepared(model, tokenizer, prompt, borders, sampler)
    drawn = stream_ids(
        model,
        torch.tensor([start.ids]),
        max_new_tokens=len(start.rest) + n_new,
        generator=torch.Generator().manual_seed(seed),
        sampler=start.chooser,
        stop_tokens=start.stop_tokens,
    )
    return start.text(map(int, drawn), n_new)


def write_texts(
    model: GPT | Decoder,
    tokenizer: Tokenizer,
    prompts: list[str],
    sampler: Sampler,
    *,
    max_new_tokens: int,
    borders: Borders = NO_BORDERS,
    seed: int = 0,
) -> list[str]:
    """Continue several prompts at once, each until its own end.

    Each is continued as it would be alone, with the seed ``seed`` + its place in the list.
    The other arguments are those of :func:`stream_text`.

    Returns:
        The continuations, without the prompts.

    Raises:
        ValueError: as :func:`generate`, or if there is no prompt.
    """
    n_new, seed = fit("max_new_tokens", max_new_tokens, NewTokens), fit("seed", seed, Seed)
    if not isinstance(prompts, list) or not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise ValueError(f"the prompt must be a text or a list of texts, at least one of them; got {shown(prompts)}")
    fit("seed of the last prompt", seed + len(prompts) - 1, Seed)
    starts = [prepared(model, tokenizer, prompt, borders, sampler) for prompt in prompts]
    writings = [Writing(start, n_new) for start in starts]
    n_steps = max(len(start.rest) for start in starts) + n_new
    choosers = OwnDraws([(start.chooser, seed + i) for i, start in enumerate(starts)])
    rows = new_rows(model, [torch.tensor(start.ids) for start in starts], n_steps, choosers, starts[0].stop_tokens)
    for tokens in rows.steps(n_steps, torch.Generator()):
        for row, (writing, token) in enumerate(zip(writings, tokens.tolist(), strict=True)):
            if not writing.ended and writing.add(token):
                rows.ended[row] = True
    return [writing.text() for writing in writings]
