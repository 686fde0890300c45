"""Generation on text: a prompt in, the prompt and its continuation out, whole or as a stream.

The prompt is taken as it is, unless the borders of the documents are given that the model was trained on: then it is
the start of such a document. An empty prompt without a border starts from the tokenizer's ``<|endoftext|>``. A prompt
longer than the model's context is kept whole in the result, while the model sees its last ``context_length`` tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated

import torch

from minigpt.generation.borders import NO_BORDERS, Borders, OpenEnd, Vocabulary, settled, without_start
from minigpt.generation.constraints import Constrained, Pattern, Spelling, until_match
from minigpt.generation.ids import Chooser, NewTokens, config_of, stream_ids
from minigpt.generation.sampler import Sampler
from minigpt.generation.streaming import cut_at_stop, text_pieces
from minigpt.model import GPT
from minigpt.settings import Range, fit
from minigpt.text import Tokenizer
from minigpt.text.tokenizers.bpe import END_OF_TEXT

Seed = Annotated[int, Range(-(2**63), 2**64 - 1)]  # what a torch.Generator takes


def generate(
    model: GPT,
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
) -> str:
    """Continue ``prompt`` with text drawn from ``model``.

    The same arguments give the same text: the draws come from a generator of their own, on the CPU, made from ``seed``.

    Args:
        model: maps ``(B, T)`` ids to ``(B, T, V)`` logits.
        tokenizer: the one that the model was trained with.
        prompt: the text to continue; if empty, the start of a document.
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
        The prompt and its continuation, without the stop string.

    Raises:
        ValueError: if the tokenizer does not fit the model, the prompt is empty and there is nothing to start from, a
            setting is outside its range, or the logits are not finite.
    """
    pieces = stream(
        model,
        tokenizer,
        prompt,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        logit_bias=logit_bias,
        match=match,
        stop=stop,
        borders=borders,
        seed=seed,
    )
    return prompt + "".join(pieces)


def stream(
    model: GPT,
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
    )
    borders = fit("borders", borders, Borders).stopping(stop)
    pattern = None if match is None else Pattern(match)
    return stream_text(
        model, tokenizer, prompt, sampler, max_new_tokens=max_new_tokens, borders=borders, pattern=pattern, seed=seed
    )


def stream_text(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str,
    sampler: Sampler,
    *,
    max_new_tokens: int,
    borders: Borders = NO_BORDERS,
    pattern: Pattern | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """:func:`stream` for callers that have a :class:`Sampler`, and a ``match`` as a :class:`Pattern`.

    The other arguments are those of :func:`generate`.

    Raises:
        ValueError: as :func:`generate`, at the call and not at the first piece.
    """
    n_new, seed = fit("max_new_tokens", max_new_tokens, NewTokens), fit("seed", seed, Seed)
    stop_tokens, stop_strings = _split_stops(tokenizer, borders.end)
    vocab_size = config_of(model).vocab_size
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens but the model has {vocab_size}; "
            "use the tokenizer that the model was trained with"
        )
    ids, rest, chooser = _prompt(tokenizer, prompt, borders, sampler)
    if pattern is not None:  # which is about what follows the prompt, so nothing of the prompt is left open
        ids, rest = borders.encode(tokenizer, prompt) or _start(tokenizer), b""
        chooser = Constrained(sampler, pattern, Spelling(tokenizer), stop_tokens)
    drawn = stream_ids(
        model,
        torch.tensor([ids]),
        max_new_tokens=len(rest) + n_new,
        generator=torch.Generator().manual_seed(seed),
        sampler=chooser,
        stop_tokens=stop_tokens,
    )
    ids_drawn: Iterator[int] = (int(token) for token in drawn)
    if isinstance(chooser, Constrained):
        ids_drawn = until_match(ids_drawn, chooser)
    tokens = _until_stop(ids_drawn, stop_tokens, tokenizer.vocab_size)
    written = without_start(map(tokenizer.token_bytes, tokens), len(rest))
    if pattern is None:
        written = islice(written, n_new)  # a match is read to its end, which says if it is whole
    return cut_at_stop(text_pieces(written, bytes), stop_strings)


def _prompt(tokenizer: Tokenizer, prompt: str, borders: Borders, sampler: Sampler) -> tuple[list[int], bytes, Chooser]:
    """The tokens that the model is given, the bytes of the prompt that are left open, and what chooses tokens."""
    ids = borders.encode(tokenizer, prompt) or _start(tokenizer)
    if borders.before is None:
        return ids, b"", sampler
    vocabulary = Vocabulary(tokenizer)
    given = settled(prompt, borders, tokenizer, vocabulary)
    rest = b"".join(map(tokenizer.token_bytes, ids[given:]))
    return ids[:given], rest, OpenEnd(sampler, rest, vocabulary)


def _start(tokenizer: Tokenizer) -> list[int]:
    if END_OF_TEXT not in tokenizer.special_tokens:
        raise ValueError(
            f"the prompt is empty and the tokenizer has no {END_OF_TEXT} to start from; give the first words of a text"
        )
    return [tokenizer.special_tokens[END_OF_TEXT]]


def _split_stops(tokenizer: Tokenizer, stops: Sequence[str]) -> tuple[list[int], list[str]]:
    """Ids of the stops that name special tokens, and all of them as strings: a text may spell a special token out."""
    if "" in stops:
        raise ValueError(f"stop={stops!r} holds an empty string, which every text contains; use stop=() for no stop")
    specials = tokenizer.special_tokens
    return [specials[s] for s in stops if s in specials], list(stops)


def _until_stop(tokens: Iterator[int], stop_tokens: Sequence[int], vocab_size: int) -> Iterator[int]:
    """The tokens before the first stop token, each known to a tokenizer of ``vocab_size`` tokens."""
    for token in tokens:
        if token in stop_tokens:
            return
        if token >= vocab_size:
            raise ValueError(
                f"the model chose token id {token} but the tokenizer has {vocab_size} tokens; "
                f"use the tokenizer that the model was trained with, or build the model with vocab_size={vocab_size}"
            )
        yield token
