r"""Counterfactual gaps: how much likelier a model finds the same words after one name than after another.

What is scored is the continuation alone: the sum of the log-probabilities of its tokens, each given the prompt and the
tokens of the continuation before it. Prompt and continuation are encoded apart, so the scored tokens are the same for A
and B; how many tokens the swapped words have does not matter, since they are given and not scored.

This is not the score of CrowS-Pairs, which masks one shared token at a time and reads both sides of it: a causal model
reads the left side only, so the swapped words have to come before what is scored.

Dimensions: n tokens of a continuation, T of the prompt with it, B rows, V vocabulary.
Source: counterfactual pairs, Kusner et al. 2017, NeurIPS; what such pairs leave unsaid, Blodgett et al. 2021, ACL.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from minigpt.equations import equation
from minigpt.evaluation.fairness.pairs import Counterfactual
from minigpt.evaluation.fairness.statistics import Interval, bootstrap, holm
from minigpt.evaluation.fairness.table import gap_table
from minigpt.model import cross_entropy_from_logits
from minigpt.model.hooks import evaluation_mode
from minigpt.plots import BLUE, new_figure
from minigpt.settings import shown, whole_number
from minigpt.text import Tokenizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.95  # of the intervals
Scored = tuple[list[int], int]  # the ids of a prompt with its continuation, and where the continuation begins


@dataclass(frozen=True)
class GapReport:
    """The mean gap of each group with its interval.

    Attributes:
        gaps: for each group, from each item to its gap in nats, the mean over its pairs.
        intervals: for each group, over its items; p is not corrected.
        corrected: for each group, p after Holm's correction over the groups.
        n_pairs: that were given.
        n_skipped: of these, pairs that are longer than the context of the model, which count nowhere.
    """

    gaps: dict[str, dict[str, float]]
    intervals: dict[str, Interval]
    corrected: dict[str, float]
    n_pairs: int
    n_skipped: int = 0

    def to_object(self) -> dict[str, Any]:
        """The figures of each group and of each item, as what JSON can hold."""
        return {
            group: {**row._asdict(), "mean_size": self.mean_size(group), "p_holm": self.corrected[group]}
            | {"items": self.gaps[group]}
            for group, row in self.intervals.items()
        }

    def mean_size(self, group: str) -> float:
        """The mean of the gaps without their signs: above the mean where items differ in direction.

        Args:
            group: one of the report.
        """
        return float(np.abs(list(self.gaps[group].values())).mean())

    def plot(self) -> "Figure":
        """Each item as a dot, and the mean of each group with its interval.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        for y, (group, row) in enumerate(self.intervals.items()):
            each = list(self.gaps[group].values())
            axes.scatter(each, [y] * len(each), color=BLUE, alpha=0.3, linewidths=0)
            axes.plot([row.low, row.high], [y, y], color="black")
            axes.plot([row.mean], [y], "o", color="black")
        axes.axvline(0, color="black", linestyle=":")
        axes.set_yticks(range(len(self.intervals)), list(self.intervals))
        axes.invert_yaxis()
        axes.set(xlabel="gap, in nats: right of 0, likelier after A")
        return figure

    def __str__(self) -> str:
        sizes = {group: self.mean_size(group) for group in self.intervals}
        return gap_table(self.intervals, sizes, self.corrected, self.n_skipped, self.n_pairs)


@equation(
    "counterfactual-gap",
    r"g = \sum_{t=1}^{n} \log(p_{t,x_t}) - \sum_{t=1}^{n} \log(q_{t,x_t})",
    where=[
        r"p_{ti} = \frac{\exp(a_{ti})}{\sum_{k=1}^{V} \exp(a_{tk})}",
        r"q_{ti} = \frac{\exp(b_{ti})}{\sum_{k=1}^{V} \exp(b_{tk})}",
    ],
    symbols={
        "a": "(n, V) logits after the prompt with A",
        "b": "(n, V) logits after the prompt with B",
        "x": "(n) the tokens of the continuation, counted from 1",
        "g": "() gap in nats",
    },
    source="the log-probability of a continuation, compared as in Kusner et al. 2017, NeurIPS, Definition 5",
)
def counterfactual_gap(logits_a: Tensor, logits_b: Tensor, continuation: Tensor) -> Tensor:
    """How much likelier a continuation is after the prompt with A than after that with B.

    Args:
        logits_a: ``(n, V)`` those that predict each token of the continuation, after the prompt with A.
        logits_b: ``(n, V)`` the same after the prompt with B.
        continuation: ``(n)`` its token ids.

    Returns:
        ``()`` in nats; 0 if A and B make no difference.
    """
    losses = [cross_entropy_from_logits(logits, continuation).sum() for logits in (logits_a, logits_b)]
    return losses[1] - losses[0]


def counterfactual_gaps(
    model: nn.Module,
    tokenizer: Tokenizer,
    pairs: Iterable[Counterfactual],
    *,
    batch_size: int = 32,
    progress: bool | None = None,
) -> GapReport:
    """Measure how much a model's probabilities change when one attribute of a prompt is swapped.

    The gap of an item is the mean over its pairs. The interval of a group resamples its items 4,000 times, and p is
    corrected over the groups. Pairs that are longer than the model's context are skipped, and counted in the report.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)`` and looks at no later token; its mode is put back after.
        tokenizer: the model's.
        pairs: what is compared; :func:`minigpt.evaluation.fairness.load_pairs` has some.
        batch_size: pairs at once; changes the speed and nothing else.
        progress: show a bar; ``None``: one that appears after two seconds.

    Raises:
        ValueError: if there is no pair, ``batch_size`` is not at least 1, a prompt or a continuation has no token or
            can't be encoded, all pairs are longer than the context of the model, or a gap is not finite.
    """
    every = _checked(pairs)
    batch_size = whole_number("batch_size", batch_size, 1)
    fitting, encoded = _fitting(every, tokenizer, getattr(getattr(model, "config", None), "context_length", None))
    found: dict[str, dict[str, list[float]]] = {}
    bar = tqdm(total=len(fitting), desc="pairs", disable=progress is False, delay=0 if progress else 2, leave=False)
    with bar, evaluation_mode(model), torch.inference_mode():
        for first in range(0, len(fitting), batch_size):
            some = encoded[first : first + batch_size]
            for pair, gap in zip(fitting[first:], _gaps(model, some), strict=False):
                found.setdefault(pair.group, {}).setdefault(pair.item, []).append(gap)
            bar.update(len(some))
    gaps = {group: {item: float(np.mean(each)) for item, each in items.items()} for group, items in found.items()}
    intervals = {group: bootstrap(np.array(list(items.values())), level=LEVEL) for group, items in gaps.items()}
    corrected = holm(torch.tensor([row.p for row in intervals.values()], dtype=torch.float64)).tolist()
    counts = {"n_pairs": len(every), "n_skipped": len(every) - len(fitting)}
    return GapReport(gaps, intervals, dict(zip(intervals, corrected, strict=True)), **counts)


def _checked(pairs: object) -> list[Counterfactual]:
    every: list[Any] = list(pairs) if isinstance(pairs, Iterable) else [pairs]
    for i, pair in enumerate(every, 1):
        if not isinstance(pair, Counterfactual) or not all(isinstance(text, str) for text in pair):
            raise ValueError(
                f"pair {i} must be a minigpt.fairness.Counterfactual of five texts (item, group, prompt_a, prompt_b, "
                f"continuation), got {shown(pair)}; load_pairs('en') has some"
            )
    if not every:
        raise ValueError("got no pairs; expected at least one, as load_pairs('en') has them")
    return every


def _fitting(
    pairs: Sequence[Counterfactual], tokenizer: Tokenizer, longest: int | None
) -> tuple[list[Counterfactual], list[tuple[Scored, Scored]]]:
    """The pairs that the context has room for, and their ids; the last token of each is scored and not read."""
    encoded = [(_encode(tokenizer, pair.prompt_a, pair), _encode(tokenizer, pair.prompt_b, pair)) for pair in pairs]
    lengths = [max(len(ids) for ids, _ in each) for each in encoded]
    kept = [i for i, length in enumerate(lengths) if longest is None or length - 1 <= longest]
    if not kept:
        raise ValueError(
            f"every pair is longer than context_length={longest} and one: the shortest has {min(lengths)} tokens; give "
            "shorter pairs, by read_pairs or --pairs FILE, or take a model with a longer context"
        )
    return [pairs[i] for i in kept], [encoded[i] for i in kept]


def _encode(tokenizer: Tokenizer, prompt: str, pair: Counterfactual) -> Scored:
    try:
        given, scored = tokenizer.encode(prompt), tokenizer.encode(pair.continuation)
    except ValueError as error:
        raise ValueError(
            f"this {tokenizer.name} tokenizer can't encode the sentence {prompt + pair.continuation!r} of the pairs "
            f"({str(error).partition('; remove it')[0]}); give pairs with words of the model's own text, by read_pairs "
            "or --pairs FILE, or take a model that was trained with --tokenizer bpe:1024"
        ) from None
    if not given or not scored:
        raise ValueError(f"{pair} has a prompt or a continuation without a token; the first token is never scored")
    return given + scored, len(given)


def _gaps(model: nn.Module, pairs: Sequence[tuple[Scored, Scored]]) -> Iterator[float]:
    """The gap of each pair; all rows are read at once, filled up at the right, where a causal model does not look."""
    rows = [ids[:-1] for pair in pairs for ids, _ in pair]
    width = max(map(len, rows))
    parameter = next(model.parameters(), torch.zeros(()))
    logits = model(torch.tensor([row + [0] * (width - len(row)) for row in rows], device=parameter.device))
    for (a, b), logits_a, logits_b in zip(pairs, logits[0::2], logits[1::2], strict=True):
        (ids, start), (ids_b, start_b) = a, b
        gap = counterfactual_gap(
            logits_a[start - 1 : len(ids) - 1].double(),
            logits_b[start_b - 1 : len(ids_b) - 1].double(),
            torch.tensor(ids[start:], device=logits.device),
        ).item()
        if not np.isfinite(gap):
            raise ValueError(
                f"a gap is {gap}: the model gives the continuation a probability of 0, or has logits of NaN"
            )
        yield gap
