r"""What a head does, told from where it attends on tokens that repeat.

Random tokens, then the same again: whatever comes in the second half can be copied from the first, and from nowhere
else. An induction head looks, from a token, at the token *after* its earlier copy, which is what comes next.

Dimensions: B batch, T positions, H heads, L layers, P positions until the tokens repeat.
Departure: Olsson et al. repeat 25 tokens four times and average over all earlier copies; here tokens come twice. The
sentence in which they define the score names the token before the copy, the name and the figures mean the one after.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.microscope.record import look
from minigpt.microscope.running import require_gpt
from minigpt.model import GPT, cross_entropy_from_logits
from minigpt.settings import check_choice, whole_number
from minigpt.settings.language import Bilingual, filled

OLSSON = "Olsson et al. 2022, arXiv:2209.11895"
_GAIN = Bilingual("in-context gain {:.3f} nats per token", "上下文内增益：每词元 {:.3f} 奈特")
_HEADINGS = Bilingual("head previous duplicate induction", "头 前一词元 重复词元 归纳")
WEIGHTS_OF_HEADS = "(H, T, T) attention weights: head, query, key"


@equation(
    "previous-token-score",
    r"p_h = \frac{1}{T - 1} \sum_{t=2}^{T} a_{h,t,t-1}",
    symbols={"a": WEIGHTS_OF_HEADS, "p": "(H) mean weight of the token before"},
    source=OLSSON,
)
def previous_token_score(pattern: Tensor) -> Tensor:
    """How much each head attends to the token before.

    Args:
        pattern: ``(..., H, T, T)`` attention weights, T ≥ 2; leading axes are averaged.

    Returns:
        ``(H,)`` from 0 to 1.

    Raises:
        ValueError: if there is no token before another.
    """
    return _mean_diagonal(pattern, 1)


@equation(
    "duplicate-token-score",
    r"d_h = \frac{1}{T - P} \sum_{t=P+1}^{T} a_{h,t,t-P}",
    symbols={
        "a": WEIGHTS_OF_HEADS,
        "P": "() positions until the tokens repeat",
        "d": "(H) mean weight of the earlier copy",
    },
    source="Wang et al. 2022, arXiv:2211.00593, section 3",
)
def duplicate_token_score(pattern: Tensor, period: int) -> Tensor:
    """How much each head attends to the earlier copy of a token.

    Args:
        pattern: ``(..., H, T, T)`` attention weights on tokens that repeat; leading axes are averaged.
        period: P, less than T.

    Returns:
        ``(H,)`` from 0 to 1.

    Raises:
        ValueError: if nothing repeats within T positions.
    """
    return _mean_diagonal(pattern, period)


@equation(
    "induction-score",
    r"i_h = \frac{1}{T - P} \sum_{t=P+1}^{T} a_{h,t,t-P+1}",
    symbols={
        "a": WEIGHTS_OF_HEADS,
        "P": "() positions until the tokens repeat, at least 2",
        "i": "(H) mean weight of the token after the earlier copy",
    },
    source=f"{OLSSON}, prefix matching",
)
def induction_score(pattern: Tensor, period: int) -> Tensor:
    """How much each head attends to the token after the earlier copy of a token.

    Args:
        pattern: ``(..., H, T, T)`` attention weights on tokens that repeat; leading axes are averaged.
        period: P, at least 2 and less than T.

    Returns:
        ``(H,)`` from 0 to 1.

    Raises:
        ValueError: if nothing repeats within T positions, or the token after the copy is the token itself.
    """
    if period < 2:
        raise ValueError(
            f"period={period} must be at least 2: else the token after the earlier copy is the token itself"
        )
    return _mean_diagonal(pattern, period - 1, period)


def _mean_diagonal(pattern: Tensor, back: int, first: int | None = None) -> Tensor:
    """``(H,)``: the mean weight of the key some positions back, over the queries from ``first`` on (counted from 0)."""
    first, length = back if first is None else first, pattern.shape[-1]
    if not 1 <= first < length:
        raise ValueError(f"a pattern of {length} positions has no token whose earlier one is {first} positions back")
    weights = pattern.diagonal(offset=-back, dim1=-2, dim2=-1)[..., first - back :]
    return weights.mean(-1).reshape(-1, pattern.shape[-3]).mean(0)


@equation(
    "in-context-gain",
    r"g = \frac{1}{P - 1} \sum_{t=2}^{P} (l_t - l_{P+t})",
    symbols={
        "l": "(T) loss of each token, in nats; T = 2P",
        "P": "() positions until the tokens repeat",
        "g": "() how much lower the loss is the second time",
    },
    source=f"as a difference of losses: {OLSSON}, section on in-context learning",
)
def in_context_gain(losses: Tensor, period: int) -> Tensor:
    """How much better tokens are predicted the second time.

    The first token of either half is left out: nothing tells that the tokens begin again.

    Args:
        losses: ``(..., T)`` nats; entry t is the loss of predicting token t, and entry 0 is not read.
        period: P = T/2, at least 2.

    Returns:
        ``(...)`` in nats per token; 0 without any use of the context.

    Raises:
        ValueError: if T is not 2P, or P is less than 2.
    """
    if losses.shape[-1] != 2 * period or period < 2:
        raise ValueError(f"{losses.shape[-1]} losses and period={period}; expected T = 2P and P at least 2")
    return (losses[..., 1:period] - losses[..., period + 1 :]).mean(-1)


def repeated_tokens(
    vocab_size: int, period: int, n_sequences: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """Random tokens, all different where the vocabulary is large enough, and the same again.

    Args:
        vocab_size: V; ids are 0 … V - 1.
        period: P.
        n_sequences: B.
        generator: ``None`` means PyTorch's global generator.

    Returns:
        ``(B, 2P)`` token ids.
    """
    if period <= vocab_size:
        half = torch.rand(n_sequences, vocab_size, generator=generator).argsort(-1)[:, :period]
    else:
        half = torch.randint(vocab_size, (n_sequences, period), generator=generator)
    return torch.cat([half, half], dim=1)


def token_losses(logits: Tensor, ids: Tensor) -> Tensor:
    """The loss of each token, given those before it.

    Args:
        logits: ``(B, T, V)``.
        ids: ``(B, T)``.

    Returns:
        ``(B, T)`` nats; entry 0 is NaN, as nothing predicts the first token.
    """
    losses = cross_entropy_from_logits(logits[:, :-1], ids[:, 1:].to(logits.device))
    return torch.cat([losses.new_full((len(losses), 1), torch.nan), losses], dim=1)


@dataclass(frozen=True, eq=False)
class HeadScores:
    """What the heads of a model do on random tokens that come twice.

    Attributes:
        previous: ``(L, H)`` :func:`previous_token_score`.
        duplicate: ``(L, H)`` :func:`duplicate_token_score`.
        induction: ``(L, H)`` :func:`induction_score`.
        gain: :func:`in_context_gain` of the model, in nats per token.
    """

    previous: Tensor
    duplicate: Tensor
    induction: Tensor
    gain: float

    def heads(self, score: str = "induction", above: float = 0.4) -> list[tuple[int, int]]:
        """The heads with a high score, the highest first.

        Args:
            score: "previous", "duplicate" or "induction".
            above: what the score exceeds.
        """
        check_choice("score", score, ("previous", "duplicate", "induction"))
        values: Tensor = getattr(self, score)
        found = [(layer, head) for layer, head in (values > above).nonzero().tolist()]
        return sorted(found, key=lambda place: -float(values[place]))

    def __str__(self) -> str:
        name, *kinds = _HEADINGS.spoken().split()
        rows = [_GAIN.spoken().format(self.gain), filled(name, 7) + "".join(filled(x, 11, "left") for x in kinds)]
        for layer, head in torch.cartesian_prod(*map(torch.arange, self.previous.shape)).tolist():
            scores = (self.previous[layer, head], self.duplicate[layer, head], self.induction[layer, head])
            rows.append(f"L{layer}H{head:<5}" + "{:>11.3f}{:>11.3f}{:>11.3f}".format(*map(float, scores)))
        return "\n".join(rows)

    __repr__ = __str__


def head_scores(
    model: GPT, *, period: int | None = None, n_sequences: int = 16, generator: torch.Generator | None = None
) -> HeadScores:
    """Where each head of a model attends on random tokens that come twice.

    Args:
        model: a GPT.
        period: P; ``None`` means half the context, at most 50.
        n_sequences: over which the scores are averaged.
        generator: of the tokens; ``None`` means PyTorch's global generator.

    Raises:
        ValueError: if twice the period is more than the context, or there is no sequence.
    """
    require_gpt(model)
    half = model.config.context_length // 2
    if half < 2:
        raise ValueError(f"context_length={model.config.context_length} is too short: tokens that come twice need 4")
    period = min(50, half) if period is None else whole_number("period", period, 2)
    if period > half:
        raise ValueError(f"period={period} must be 2 to {half}, half the context")
    n_sequences = whole_number("n_sequences", n_sequences, 1)
    ids = repeated_tokens(model.config.vocab_size, period, n_sequences, generator=generator)
    record = look(model, ids, ["*hook_pattern", "logits"])
    gain = in_context_gain(token_losses(record.logits, ids), period).mean()
    patterns = record.attention
    return HeadScores(
        torch.stack([previous_token_score(pattern) for pattern in patterns]).cpu(),
        torch.stack([duplicate_token_score(pattern, period) for pattern in patterns]).cpu(),
        torch.stack([induction_score(pattern, period) for pattern in patterns]).cpu(),
        float(gain),
    )
