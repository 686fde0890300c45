r"""Sanity checks: what must hold of any model, its data and its optimizer, whatever is trained.

Each check takes a part of your own training, asks one question, and returns a :class:`Sanity`, which is true if all is
well. :func:`check_before_training` asks those that need a model and its data alone.

Dimensions: B batch, T positions, V vocabulary.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from minigpt.model.hooks import evaluation_mode
from minigpt.text import Dataset
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.training.execution.precision import Precision
from minigpt.training.gradients import accumulate_gradients
from minigpt.training.processes.shared_optimizer import SharedOptimizer
from minigpt.training.report.history import History

N_SEQUENCES = 8  # of the batch that a check looks at
PIECE = 64  # tokens of validation text that are looked for in the training text
MOST_PIECES, MOST_SEARCHED = 200, 4_000_000  # that are looked for, and looked through
SHARED = 0.25  # share of the pieces that may occur in both splits: short texts repeat themselves
EARLY, RISE = 20, 0.3  # steps, and nats per token


class Sanity(NamedTuple):
    """The answer of a check, true if all is well.

    Attributes:
        name: of the check.
        ok: whether it passed.
        says: what was found.
    """

    name: str
    ok: bool
    says: str

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.name}: {self.says}"


def check_before_training(model: nn.Module, data: Dataset, validation: Dataset | None = None) -> list[Sanity]:
    """The checks of a model before its first step, and of its data.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; its gradients are cleared.
        data: the training split.
        validation: the validation split.
    """
    ids, _ = data.batch(0, N_SEQUENCES)
    found = [
        check_targets(data),
        check_causal(model, ids),
        check_logits(model, ids),
        check_first_loss(model, data),
        check_gradients(model, data),
        check_evaluation(model, ids),
    ]
    return found if validation is None else [*found, check_splits(data, validation)]


def check_targets(data: Dataset) -> Sanity:
    """Whether the target of each position is the next token."""
    inputs, targets = data.batch(0, N_SEQUENCES)
    counts = targets[:, :-1] != IGNORED_TARGET
    right = float((targets[:, :-1] == inputs[:, 1:])[counts].double().mean())
    return Sanity("targets", right == 1, f"{right:.0%} of the targets are the token after their position")


@torch.no_grad()
def check_causal(model: nn.Module, ids: Tensor) -> Sanity:
    """Whether a token changes no logits at the positions before it.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        ids: ``(B, T)`` with T at least 2.
    """
    logits, changed, cut = _logits(model, ids), ids.clone(), ids.shape[1] // 2
    changed[:, cut:] = (ids[:, cut:] + 1) % logits.shape[-1]
    before, after = logits[:, :cut], _logits(model, changed)[:, :cut]
    difference = float((before - after).abs().max())
    ok = difference <= 1e-4 * max(1.0, float(before.abs().max()))
    return Sanity("causal", ok, f"later tokens change the logits before them by up to {difference:.1e}")


@torch.no_grad()
def check_logits(model: nn.Module, ids: Tensor) -> Sanity:
    """Whether a model returns logits, and not probabilities already.

    Args:
        model: maps ids ``(B, T)`` to ``(B, T, V)``.
        ids: ``(B, T)``.
    """
    logits = _logits(model, ids)
    sums = logits.double().sum(-1)
    probabilities = bool((logits >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all())
    what = "each row is at least 0 and sums to 1: softmax was applied already" if probabilities else "not probabilities"
    return Sanity("logits", not probabilities, what)


def check_first_loss(model: nn.Module, data: Dataset, tolerance: float = 0.5) -> Sanity:
    """Whether an untrained model starts near log V, the loss of a uniform guess.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; untrained; its gradients are cleared.
        data: what it is to learn from.
        tolerance: in nats per token.
    """
    loss, uniform = _gradient(model, data), math.log(data.vocab_size)
    model.zero_grad()
    ok = abs(loss - uniform) <= tolerance
    return Sanity("first loss", ok, f"{loss:.3f} nats per token, a uniform guess has {uniform:.3f}")


def check_gradients(model: nn.Module, data: Dataset) -> Sanity:
    """Whether a gradient that is not 0 reaches every weight matrix.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; its gradients are cleared.
        data: what it is to learn from.
    """
    _gradient(model, data)
    matrices = {name: p for name, p in model.named_parameters() if p.requires_grad and p.dim() > 1}
    dead = [name for name, p in matrices.items() if p.grad is None or not bool(p.grad.any())]
    model.zero_grad()
    where = f", the first is {dead[0]}" if dead else ""
    return Sanity("gradients", not dead, f"{len(dead)} of {len(matrices)} matrices have no gradient{where}")


@torch.no_grad()
def check_evaluation(model: nn.Module, ids: Tensor) -> Sanity:
    """Whether a model in evaluation mode gives the same logits twice.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        ids: ``(B, T)``.
    """
    first, second = _logits(model, ids), _logits(model, ids)
    difference = float((first - second).abs().max())
    return Sanity("evaluation", difference == 0, f"two evaluations of a batch differ by up to {difference:.1e}")


def check_splits(data: Dataset, validation: Dataset) -> Sanity:
    """Whether the training text holds pieces of the validation text; the first four million tokens are looked through.

    Args:
        data: the training split.
        validation: the validation split.
    """
    seen = _tokens(data, MOST_SEARCHED).tobytes()
    held_out = _tokens(validation, MOST_PIECES * PIECE)
    pieces = [held_out[i : i + PIECE].tobytes() for i in range(0, len(held_out) - PIECE + 1, PIECE)]
    if not pieces:
        return Sanity("splits", ok=True, says=f"the validation text has no piece of {PIECE} tokens to look for")
    found = sum(piece in seen for piece in pieces)
    ok = found <= SHARED * len(pieces)
    return Sanity("splits", ok, f"{found} of {len(pieces)} pieces of the validation text are in the training text")


def check_cleared(model: nn.Module) -> Sanity:
    """Whether no gradient is left between two steps: after the update and ``zero_grad``, before the next batch."""
    left = [name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())]
    where = f", the first is {left[0]}" if left else ""
    return Sanity("cleared", not left, f"{len(left)} parameters still have the gradient of the last step{where}")


def check_decay(optimizer: Optimizer | SharedOptimizer) -> Sanity:
    """Whether weight decay leaves vectors alone: biases and the gains of norms."""
    groups = [group for group in optimizer.param_groups if group.get("weight_decay", 0) > 0]
    vectors = sum(p.dim() < 2 for group in groups for p in group["params"])
    return Sanity("decay", not vectors, f"weight decay pulls {vectors} vectors, such as gains of norms, to 0")


def check_start(history: History) -> Sanity:
    """Whether the loss of the first steps stays near that of the first, or below it."""
    losses = history.column("loss")[1][: EARLY + 1]
    rise = max(losses) - losses[0] if losses else 0.0
    return Sanity("start", rise <= RISE, f"the loss rises by {rise:.2f} nats per token in the first {EARLY} steps")


def check_underflow(model: nn.Module, data: Dataset, precision: Precision, most: float = 0.01) -> Sanity:
    """Whether 16-bit numbers lose gradients that float32 has.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; its gradients are cleared.
        data: what it learns from.
        precision: how it is trained, with its loss scale.
        most: share of the gradient's numbers that may become 0.
    """
    share = zero_share(model, data, precision) - zero_share(model, data)
    return Sanity("underflow", share <= most, f"{share:.1%} of the gradient's numbers become 0 in {precision.name}")


def zero_share(model: nn.Module, data: Dataset, precision: Precision | None = None) -> float:
    """The share of the gradient's numbers that are exactly 0, on the first batch.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; its gradients are cleared.
        data: what it learns from.
        precision: ``None`` means float32.
    """
    _gradient(model, data, precision)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    zeros, all_numbers = sum(int((g == 0).sum()) for g in gradients), sum(g.numel() for g in gradients)
    model.zero_grad()
    return zeros / max(1, all_numbers)


def _gradient(model: nn.Module, data: Dataset, precision: Precision | None = None) -> float:
    """The loss of the first batch; its gradient is in ``.grad``."""
    model.zero_grad()
    inputs, targets = data.batch(0, N_SEQUENCES)
    return accumulate_gradients(model, inputs, targets, N_SEQUENCES, precision)


def _logits(model: nn.Module, ids: Tensor) -> Tensor:
    """What a model returns in evaluation mode."""
    with evaluation_mode(model):
        logits: Tensor = model(ids.to(next(model.parameters()).device))
    return logits


def _tokens(data: Dataset, most: int) -> np.ndarray:
    rows, n_tokens = [], 0
    for inputs, _ in data.windows(N_SEQUENCES):
        rows.append(inputs.flatten().numpy().astype(np.int32))
        n_tokens += len(rows[-1])
        if n_tokens >= most:
            break
    return np.concatenate(rows)[:most]
