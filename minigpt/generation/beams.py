r"""Beam search and best-of-n: the likeliest of several texts, instead of one that is drawn.

A beam keeps the $K$ likeliest beginnings, extends each by every token, and keeps the likeliest again. With as many
beams as there are beginnings it finds the likeliest text of all. A long text has more factors below 1 than a short one,
so finished texts are compared by a score in which their length counts.

Dimensions: B batch, T prompt tokens, n new tokens, K beams, V vocabulary.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.generation.decoder import Decoder
from minigpt.generation.ids import check_no_match, generate_ids
from minigpt.generation.logits import at_least_float32
from minigpt.generation.ranges import check_length_penalty, check_search, check_stop_tokens
from minigpt.generation.sampler import GREEDY, Sampler
from minigpt.model import GPT, log_softmax
from minigpt.settings import shown, whole_number


@dataclass(frozen=True)
class SearchResult:
    """A text that a search has found.

    Attributes:
        ids: ``(T + n,)`` int64: the prompt and the new tokens, with the stop token where one was reached.
        log_probabilities: ``(n,)`` of the new tokens, in nats.
        score: by which the texts are sorted; the larger, the better.
    """

    ids: Tensor
    log_probabilities: Tensor
    score: float


@equation(
    "beam-score",
    r"s = \frac{\sum_{t=1}^{n} \log(p_t)}{\left(\frac{5 + n}{6}\right)^{\alpha}}",
    symbols={
        "p": "(n) probability of each new token",
        r"\alpha": "() length penalty; 0 compares the log-probabilities of whole texts",
        "s": "() score",
    },
    source="Wu et al. 2016, arXiv:1609.08144, Eq. 14, without its coverage penalty",
)
def beam_score(log_probabilities: Tensor, length_penalty: float) -> Tensor:
    r"""How good a text is, for texts of different lengths.

    Args:
        log_probabilities: ``(..., n)`` in nats, n ≥ 1.
        length_penalty: $\alpha$, from -10 to 10; above 0, long texts are preferred to what their log-probabilities
            say.

    Returns:
        ``(...)``.

    Raises:
        ValueError: if the length penalty is outside its range.
    """
    check_length_penalty(length_penalty)
    return log_probabilities.sum(-1) / _length_divisor(log_probabilities.shape[-1], length_penalty)


def beam_search(
    model: GPT | Decoder,
    ids: Tensor,
    *,
    n_beams: int,
    max_new_tokens: int,
    length_penalty: float = 0.0,
    stop_tokens: Collection[int] = (),
) -> list[SearchResult]:
    """The likeliest continuations that a beam finds; nothing is drawn.

    Args:
        model: maps ``(B, T)`` ids to ``(B, T, V)`` logits; or a :class:`~minigpt.generation.decoder.Decoder` of it.
        ids: ``(1, T)`` int64 with T ≥ 1: one prompt.
        n_beams: K; 1 is greedy.
        max_new_tokens: the most tokens to add, at least 1.
        length_penalty: see :func:`beam_score`.
        stop_tokens: ids that end a text.

    Returns:
        Up to K texts, the best first; those that reached ``max_new_tokens`` without a stop token count as well. A text
        that a stop token ends counts if it is among the K best of its length.

    Raises:
        ValueError: if a number is outside its range, or ``ids`` are not one prompt that the model can take.
    """
    _check_prompt(ids)
    check_search("n_beams", n_beams, max_new_tokens, length_penalty)
    decoder = model if isinstance(model, Decoder) else Decoder(model)
    generate_ids(decoder, ids, max_new_tokens=0, generator=torch.Generator(), sampler=GREEDY)  # checks the prompt
    rows, steps = ids, torch.zeros(1, 0)
    stops = torch.tensor(check_stop_tokens(stop_tokens), dtype=torch.int64, device=ids.device)
    done: list[SearchResult] = []
    for n in range(1, max_new_tokens + 1):
        log_p = log_softmax(at_least_float32(decoder(rows)))
        totals = steps.to(log_p).sum(-1, keepdim=True) + log_p
        _check_finite(totals)
        best = totals.flatten().topk(min(n_beams * (1 + len(stops)), totals.numel())).indices
        best = best[totals.flatten()[best] > -math.inf]  # never a token that the model says can't be
        parents, tokens = best // log_p.shape[1], best % log_p.shape[1]
        grown = torch.cat([rows[parents], tokens[:, None]], dim=1)
        nats = torch.cat([steps.to(log_p)[parents], log_p[parents, tokens][:, None]], dim=1)
        ends = torch.isin(tokens, stops) | (n == max_new_tokens)
        among_best = ends & (torch.arange(len(ends), device=ends.device) < n_beams)
        done = _best([*done, *_found(grown[among_best], nats[among_best], length_penalty)], n_beams)
        live = (~ends).nonzero().squeeze(1)[:n_beams]
        if len(live) == 0 or _is_settled(done, nats[live[0]], n_beams, length_penalty, max_new_tokens):
            break
        rows, steps = grown[live], nats[live]
        decoder.keep(parents[live])
    return done


def best_of(
    model: GPT | Decoder,
    ids: Tensor,
    n: int,
    *,
    max_new_tokens: int,
    generator: torch.Generator,
    sampler: Sampler = Sampler(),
    stop_tokens: Collection[int] = (),
) -> list[SearchResult]:
    """Draw ``n`` continuations and sort them by the mean log-probability per token that the model gives them.

    Args:
        model: as :func:`beam_search`.
        ids: ``(1, T)`` int64: one prompt.
        n: how many are drawn.
        max_new_tokens: the most tokens to add, at least 1.
        generator: the source of randomness.
        sampler: draws the tokens; the score is that of the model's own distribution.
        stop_tokens: ids that end a text.

    Returns:
        All of them, the best first.

    Raises:
        ValueError: as :func:`beam_search`.
    """
    _check_prompt(ids)
    check_search("n", n, max_new_tokens)
    check_no_match(sampler)
    kept = Remembering(sampler)
    rows = generate_ids(
        model,
        [ids[0]] * n,
        max_new_tokens=max_new_tokens,
        generator=generator,
        sampler=kept,
        stop_tokens=stop_tokens,
    )
    nats = torch.stack(kept.nats, dim=1)
    own = [row_nats[: len(row) - ids.shape[1]] for row, row_nats in zip(rows, nats, strict=True)]
    return _best([SearchResult(row, each, float(each.mean())) for row, each in zip(rows, own, strict=True)], n)


class Remembering:
    """A way to choose tokens that keeps the model's log-probability of each.

    Args:
        sampler: chooses them.

    Attributes:
        nats: ``(B,)`` a step; of a row that has ended, anything.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self.nats = sampler, list[Tensor]()

    def check(self, vocab_size: int) -> None:
        """As :meth:`~minigpt.generation.sampler.Sampler.check`, same arguments."""
        self.sampler.check(vocab_size)

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """As :meth:`~minigpt.generation.sampler.Sampler.__call__`, same arguments."""
        tokens = self.sampler(logits, generator, ids)
        self.nats.append(log_softmax(at_least_float32(logits)).gather(-1, tokens[:, None])[:, 0])
        return tokens


def token_log_probabilities(model: GPT | Decoder, ids: Tensor, n_prompt: int) -> Tensor:
    """The log-probability of each token after a prompt, given all before it.

    Args:
        model: as :func:`beam_search`.
        ids: ``(B, T)`` int64, T at most the model's context: prompts and what follows them.
        n_prompt: how many of the first tokens are the prompt, from 1.

    Returns:
        ``(B, T - n_prompt)`` in nats.

    Raises:
        ValueError: if there is no prompt, or more than the context.
    """
    whole_number("n_prompt", n_prompt, 1)
    decoder = Decoder(model.model if isinstance(model, Decoder) else model)
    length, limit = ids.shape[1], decoder.config.context_length
    if not 1 <= n_prompt <= length or length > limit + 1:
        raise ValueError(
            f"got n_prompt={shown(n_prompt)} of {length} tokens; expected 1 to {length}, and at most {limit + 1} "
            "tokens, all but the last of which the model sees"
        )
    if n_prompt == length:
        return torch.zeros(len(ids), 0, device=ids.device)
    log_p = log_softmax(at_least_float32(decoder.after_last(ids[:, :-1], length - n_prompt)))
    return log_p.gather(-1, ids[:, n_prompt:, None]).squeeze(-1)


def _found(rows: Tensor, nats: Tensor, length_penalty: float) -> list[SearchResult]:
    scores = beam_score(nats.double(), length_penalty).tolist()  # in float32 a divisor may be infinite
    return [SearchResult(row, own, score) for row, own, score in zip(rows, nats, scores, strict=True)]


def _best(found: list[SearchResult], n: int) -> list[SearchResult]:
    return sorted(found, key=lambda each: -each.score)[:n]


def _is_settled(done: list[SearchResult], nats: Tensor, n_beams: int, length_penalty: float, longest: int) -> bool:
    """Whether no text that is still open, the best of which has ``nats``, can come among the finished ones."""
    if len(done) < n_beams:
        return False
    lengths = (len(nats) + 1, longest)  # more tokens can't raise the sum, and the divisor is monotonic
    best = max(float(nats.double().sum()) / _length_divisor(length, length_penalty) for length in lengths)
    return best <= done[-1].score


def _length_divisor(length: int, length_penalty: float) -> float:
    return ((5 + length) / 6) ** length_penalty


def _check_finite(log_p: Tensor) -> None:
    best = log_p.amax(-1)
    if not best.isfinite().all():
        raise ValueError(f"non-finite logits: the best log-probability of a text is {float(best[~best.isfinite()][0])}")


def _check_prompt(ids: Tensor) -> None:
    if ids.ndim != 2 or len(ids) != 1:
        raise ValueError(f"ids have shape {tuple(ids.shape)}; expected (1, T), one prompt: search each by itself")
