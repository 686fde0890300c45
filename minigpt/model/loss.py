"""Cross-entropy: how surprised the model is by what came, in nats.

First on probabilities, as in the seed document; then on logits and a single true class, which is what a language model
is trained on.

Dimensions: n classes in the first form; B batch, T positions, V vocabulary in the second.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.equations import equation, fast_twin
from minigpt.model.inspection import numbers_of
from minigpt.model.probabilities import log_softmax
from minigpt.settings import check_choice


@equation(
    "cross-entropy",
    r"L = -\sum_{i=1}^{n} y_i \log(p_i)",
    symbols={"y": "(n) true distribution", "p": "(n) predicted probabilities", "L": "() loss in nats"},
    source="the seed document, section 3.2",
)
def cross_entropy(y: Tensor, p: Tensor) -> Tensor:
    r"""The loss of predicted probabilities, with $0 \log 0 = 0$.

    Args:
        y: ``(..., n)`` the true distribution: one-hot, or soft.
        p: ``(..., n)`` predicted probabilities, not logits.

    Returns:
        ``(...)`` in nats, one loss for each distribution; ``inf`` where something true was given probability 0.

    Raises:
        ValueError: if the shapes differ, or if an entry of ``p`` or ``y`` is not a probability.
    """
    if y.shape != p.shape:
        raise ValueError(
            f"y has shape {tuple(y.shape)} and p has {tuple(p.shape)}; expected equal shapes (..., n), y one-hot "
            "or soft (try torch.nn.functional.one_hot(classes, n))"
        )
    _check_probabilities("y", y, "y holds class numbers? make them one-hot")
    _check_probabilities("p", p, "p holds logits? take softmax(logits) first, or call next_token_loss(logits, targets)")
    return -torch.xlogy(y, p).sum(-1)


@equation(
    "label-smoothing",
    r"L = -\sum_{i=1}^{n} \left((1 - \epsilon) y_i + \frac{\epsilon}{n}\right) \log(p_i)",
    symbols={
        "y": "(n) true distribution",
        "p": "(n) predicted probabilities",
        r"\epsilon": "() the share of certainty that is given to all classes alike",
        "L": "() loss in nats",
    },
    source="Szegedy et al. 2016, arXiv:1512.00567, section 7",
)
def smoothed_cross_entropy(y: Tensor, p: Tensor, smoothing: float) -> Tensor:
    """The loss of predicted probabilities when a share of the truth is spread over all classes.

    A model that learns by it is never asked for certainty. Its least value is no longer 0, so losses with and without
    it do not compare: validation is never smoothed.

    Args:
        y: ``(..., n)`` the true distribution: one-hot, or soft.
        p: ``(..., n)`` predicted probabilities, not logits.
        smoothing: ε, in [0, 1); 0 gives :func:`cross_entropy`.

    Returns:
        ``(...)`` in nats, one loss for each distribution.

    Raises:
        ValueError: as :func:`cross_entropy`, or if ``smoothing`` is out of its range.
    """
    check_smoothing(smoothing)
    return cross_entropy((1 - smoothing) * y + smoothing / y.shape[-1], p)


@equation(
    "cross-entropy-from-logits",
    r"L = \log\left(\sum_{k=1}^{V} \exp(z_k)\right) - z_c",
    symbols={"z": "(V) logits", "c": "() true class, counted from 1", "L": "() loss in nats"},
    source="Goodfellow, Bengio & Courville 2016, Deep Learning, section 6.2.2",
)
def cross_entropy_from_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """The loss of each row of logits: the reference of :func:`next_token_loss`.

    Args:
        logits: ``(..., V)`` floating point.
        targets: ``(...)`` integers, each in 0 … V-1.

    Returns:
        ``(...)`` in nats.
    """
    return -log_softmax(logits).gather(-1, token_ids(targets).unsqueeze(-1)).squeeze(-1)


@fast_twin(
    of=cross_entropy_from_logits,
    error=2e-6,
    gradient="autograd",
    when='training with `loss="logits"`, and validation',
    faster="PyTorch's kernel, of all positions at once",
    bfloat16=True,
)
@equation(
    "next-token-loss",
    r"L = -\frac{\sum_{b=1}^{B} \sum_{t=1}^{T} w_{bt} \log(p_{bt,x_{bt}})}{\sum_{b=1}^{B} \sum_{t=1}^{T} w_{bt}}",
    where=[r"p_{bti} = \frac{\exp(z_{bti})}{\sum_{k=1}^{V} \exp(z_{btk})}"],
    symbols={
        "z": "(B, T, V) logits",
        "x": "(B, T) the tokens that came next, counted from 1",
        "w": "(B, T) 1 where the position counts, 0 where it is ignored",
        "L": "() loss in nats per token",
    },
    source="Bengio, Ducharme, Vincent & Jauvin 2003, JMLR 3",
)
def next_token_loss(
    logits: Tensor,
    targets: Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""The mean cross-entropy of the next token, over the positions that count.

    Args:
        logits: ``(B, T, V)``: row t predicts the token after position t.
        targets: ``(B, T)`` integers: that token, or ``ignore_index`` where there is none (padding, a prompt).
        ignore_index: marks the positions that do not count.
        reduction: "mean" over the positions that count (0 if none does), or "sum".
        label_smoothing: ε of :func:`smoothed_cross_entropy`, for training.

    Returns:
        ``()`` in nats per token, or in nats for "sum"; at least float32.

    Raises:
        ValueError: if the shapes do not fit, the targets are not integers, the reduction is unknown, or the smoothing
            is out of [0, 1).
    """
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and targets {tuple(targets.shape)}; expected (B, T, V) and (B, T)"
        )
    check_loss_options(reduction, label_smoothing)
    targets = token_ids(targets)
    rows = logits.flatten(0, -2)
    rows = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
    total = F.cross_entropy(
        rows, targets.flatten(), ignore_index=ignore_index, reduction="sum", label_smoothing=label_smoothing
    )
    return REDUCTIONS[reduction](total, targets != ignore_index)


REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": lambda total, counts: total / counts.sum().clamp(min=1),
    "sum": lambda total, counts: total,
}


def token_ids(targets: Tensor) -> Tensor:
    """Targets in int64, by which PyTorch looks up; other integers are converted.

    Raises:
        ValueError: if they are not integers.
    """
    if targets.dtype == torch.bool or targets.is_floating_point() or targets.is_complex():
        raise ValueError(
            f"targets have dtype {targets.dtype}; expected integers, the ids of tokens (try targets.long())"
        )
    return targets.long()


def check_loss_options(reduction: str, smoothing: float) -> None:
    """Refuse a reduction that is unknown, or a label smoothing outside [0, 1)."""
    check_choice("reduction", reduction, REDUCTIONS)
    check_smoothing(smoothing)


def check_smoothing(smoothing: float) -> None:
    """Refuse a label smoothing outside [0, 1)."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"label_smoothing={smoothing} must lie in [0, 1): the share given to all classes alike")


def _check_probabilities(name: str, values: Tensor, advice: str) -> None:
    values = numbers_of(values)
    if values.numel() and (values.min() < 0 or values.max() > 1 + 1e-6):
        raise ValueError(
            f"{name} holds values from {values.min():.4g} to {values.max():.4g}; expected probabilities in [0, 1]. "
            f"{advice}"
        )
