"""How training computes the summed loss of a batch; what it is, is the same in each.

=========  =====================================================================================================
"logits"   from the logits of all positions at once
"chunked"  some positions at a time: as quick, and no B · T × V numbers in memory, most of a step's with a large V
"triton"   by the fused kernel, a tile at a time, on a GPU
=========  =====================================================================================================

A model is asked for its loss through its forward pass, where DDP and FSDP expect to meet it.

Dimensions: B batch, T positions, V vocabulary.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from minigpt.model import chunked_next_token_loss, next_token_loss
from minigpt.model.fused import triton_next_token_loss

Loss = Callable[..., Tensor]  # of a model, ids, targets, the positions of the targets and the label smoothing


def logits_loss(
    model: nn.Module, ids: Tensor, targets: Tensor, at: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """The summed loss, from all logits.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        ids: ``(B, T)`` int64.
        targets: ``(B, T)`` int64, or ``(n,)``; -100 where nothing is to be predicted.
        at: ``(B, T)`` boolean, the n positions of the targets; ``None`` for all.
        label_smoothing: ε of :func:`minigpt.model.smoothed_cross_entropy`.

    Returns:
        ``()`` in nats.
    """
    logits = model(ids) if at is None else model(ids, at)
    return next_token_loss(logits, targets, reduction="sum", label_smoothing=label_smoothing)


def without_logits(loss: Callable[..., Tensor]) -> Loss:
    """The same of a GPT, by a loss that takes the place of its head."""

    def summed_loss(
        model: nn.Module, ids: Tensor, targets: Tensor, at: Tensor | None = None, label_smoothing: float = 0.0
    ) -> Tensor:
        head = partial(loss, targets=targets, reduction="sum", label_smoothing=label_smoothing)
        return model(ids, at, head=head)

    return summed_loss


#: How training may compute its loss, by name; each as :func:`logits_loss`.
LOSSES: dict[str, Loss] = {
    "logits": logits_loss,
    "chunked": without_logits(chunked_next_token_loss),
    "triton": without_logits(triton_next_token_loss),
}
