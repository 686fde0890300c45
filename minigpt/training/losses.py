"""How training computes the summed loss of a batch; what it is, is the same in each.

=========  =====================================================================================================
"logits"   from the logits of all positions at once
"chunked"  some positions at a time: as quick, and no B · T × V numbers in memory, most of a step's with a large V
"triton"   by the fused kernel, a tile at a time, on a GPU
=========  =====================================================================================================

A model returns logits. What training calls is a module around it that returns the loss, and that module is what DDP and
FSDP wrap: they do their work where a forward pass begins and ends.

Dimensions: B batch, T positions, D model width, V vocabulary.
"""

from collections.abc import Callable
from typing import Any, TypeGuard

from torch import Tensor, nn

from minigpt.model import GPT, chunked_next_token_loss, next_token_loss
from minigpt.model.experts import balance_of, scores_kept
from minigpt.model.fused import triton_next_token_loss
from minigpt.settings import check_choice
from minigpt.text.datasets.windows import IGNORED_TARGET

#: Of a model, ids, targets, the positions of the targets and the label smoothing.
Loss = Callable[[Any, Tensor, Tensor, Tensor | None, float], Tensor]


def logits_loss(model: nn.Module, ids: Tensor, targets: Tensor, at: Tensor | None, label_smoothing: float) -> Tensor:
    """The summed loss, from logits.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        ids: ``(B, T)`` int64.
        targets: ``(B, T)`` int64, or ``(n,)``; -100 where nothing is to be predicted.
        at: ``(B, T)`` boolean, the n positions of the targets; ``None`` for all.
        label_smoothing: ε of :func:`minigpt.model.smoothed_cross_entropy`.

    Returns:
        ``()`` in nats.
    """
    if not ends_in_head(model):
        logits = _own_logits(model, ids, targets)
        logits = logits if at is None else logits[at]
    elif at is None:
        logits = model(ids)
    else:
        logits = model.head(features_at(model, ids, at))
    return next_token_loss(logits, targets, reduction="sum", label_smoothing=label_smoothing)


def ends_in_head(model: nn.Module) -> TypeGuard[GPT]:
    """Whether a model's logits are its head's of its features: a GPT's are, unless a subclass has another forward."""
    return isinstance(model, GPT) and type(model).forward is GPT.forward


def _own_logits(model: nn.Module, ids: Tensor, targets: Tensor) -> Tensor:
    """What any other module returns, if that is logits."""
    name = type(model).__name__
    try:
        logits = model(ids)
    except IndexError as error:
        raise ValueError(
            f"{name} does not take ids up to {int(ids.max())}: {error}; give its embedding a row for each token of the "
            "tokenizer"
        ) from error
    if not isinstance(logits, Tensor) or logits.dim() != 3 or logits.shape[:2] != ids.shape:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise ValueError(
            f"{name} maps ids {tuple(ids.shape)} to {got}; expected logits (B, T, V). Wrap it in a module whose "
            "forward returns them alone"
        )
    if not targets.is_cuda and targets.numel() and (highest := int(targets.max())) >= logits.shape[-1]:  # no waiting
        raise ValueError(
            f"{name} has logits for {logits.shape[-1]} tokens, and the data holds token id {highest}; build it with "
            "the vocabulary size of the tokenizer"
        )
    return logits


def without_logits(loss: Callable[..., Tensor]) -> Loss:
    """The same of a GPT, by a loss of what enters the head and the head's matrix."""

    def summed_loss(model: GPT, ids: Tensor, targets: Tensor, at: Tensor | None, label_smoothing: float) -> Tensor:
        features, weight = features_at(model, ids, at), model.head.weight
        return loss(features, weight, targets, reduction="sum", label_smoothing=label_smoothing)

    return summed_loss


def features_at(model: GPT, ids: Tensor, at: Tensor | None) -> Tensor:
    """What enters the head at some positions, ``(n, D)``; with ``at=None`` at all, ``(B, T, D)``.

    The final norm takes each position by itself, so the others are left out before it.
    """
    return model.features(ids) if at is None else model.norm(model.residual_stream(ids)[at])


#: How training may compute its loss, by name; each as :func:`logits_loss`.
LOSSES: dict[str, Loss] = {
    "logits": logits_loss,
    "chunked": without_logits(chunked_next_token_loss),
    "triton": without_logits(triton_next_token_loss),
}


class LossModule(nn.Module):
    """The summed loss of a model, as a module.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``; for a loss other than "logits" a :class:`minigpt.GPT`.
        loss: a name in ``LOSSES``.
        label_smoothing: ε of :func:`minigpt.model.smoothed_cross_entropy`; only in training mode, as dropout.
        balance: weight of :func:`minigpt.model.experts.load_balancing_loss`, summed over the layers of a model with
            experts; only in training mode. The tokens are those of the call, so that each micro-batch of each process
            is balanced by itself, and counts by its number of targets.

    Attributes:
        balance_now: the load-balancing loss of the last call that added it, mean over the layers; ``None`` before.

    Raises:
        ValueError: if the loss is unknown, or does without the logits of a model that has nothing else.
    """

    def __init__(
        self, model: nn.Module, loss: str = "logits", label_smoothing: float = 0.0, balance: float = 0.0
    ) -> None:
        super().__init__()
        check_choice("loss", loss, LOSSES)
        if loss != "logits" and not ends_in_head(model):
            raise ValueError(f"loss={loss!r} needs a GPT, got {type(model).__name__}; use loss='logits'")
        self.model, self.loss = model, LOSSES[loss]
        self.label_smoothing, self.balance = label_smoothing, balance
        self.balance_now: Tensor | None = None

    def forward(self, ids: Tensor, targets: Tensor, at: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            ids: ``(B, T)`` int64.
            targets: ``(B, T)`` int64, the token after each position, or -100 where nothing is to be predicted; with
                ``at``, ``(n,)``.
            at: ``(B, T)`` boolean, the n positions of the targets, in order: the head computes nothing for the others.
                ``None`` for all.

        Returns:
            ``()`` in nats, summed over the targets; in training mode with the load-balancing loss, once a target.
        """
        if not (self.training and self.balance):
            return self.loss(self.model, ids, targets, at, self.label_smoothing if self.training else 0.0)
        with scores_kept(self.model) as mixtures:
            nats = self.loss(self.model, ids, targets, at, self.label_smoothing)
            if not mixtures:
                return nats
            balance = balance_of(mixtures)
        self.balance_now = balance.detach() / len(mixtures)
        return nats + self.balance * (targets != IGNORED_TARGET).sum() * balance


def as_loss(model: nn.Module) -> nn.Module:
    """``model`` itself where it is a :class:`LossModule`, in DDP or not; otherwise its loss from logits."""
    return model if isinstance(unwrapped(model), LossModule) else LossModule(model)


def unwrapped(module: nn.Module) -> nn.Module:
    """What DDP wraps, which it has as ``module``; anything else as it is."""
    inner: nn.Module = getattr(module, "module", module)
    return inner
