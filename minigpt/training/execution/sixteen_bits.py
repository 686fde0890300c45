r"""The weights of a step in 16 bits, and those that are trained in float32.

::

    float32 weights ──round──> 16-bit copy ──forward, backward──> its gradient ──add──> float32 gradient ──> optimizer

Autocast rounds what enters each product, weights included, and leaves the residual stream in float32. With a copy of
the blocks, the final norm and the head in 16 bits, everything that flows between them has 16 bits too: the products are
the same, and each pass over memory reads half the bytes. An update is often smaller than the gap between two bfloat16
numbers, so the weights that are trained, averaged, evaluated and saved stay in float32. So do the embeddings, since the
gradient of a row is a sum over all places where its token is, and the loss.

Source: Micikevicius et al. 2018, arXiv:1710.03740, section 3.1 (a float32 master copy of the weights).
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from minigpt.model import GPT
from minigpt.training.losses import LossModule

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of a module


class SixteenBitLoss(nn.Module):
    """The loss of a 16-bit copy of a GPT; a backward pass adds the gradient to the float32 weights of the model.

    The copy takes up the weights at each call.

    Args:
        loss: of the model that is trained.
        dtype: of the copy.

    Attributes:
        module: the loss of the copy.
    """

    def __init__(self, loss: LossModule, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.trained = [loss]  # in a list: its parameters are not this module's
        self.module = _narrow_copy(loss, dtype)
        copies = dict(self.module.model.named_parameters(remove_duplicate=False))
        weights = dict(loss.model.named_parameters(remove_duplicate=False))
        # one pair for a weight that several blocks share, and so has several names
        pairs = {id(copy): (weights[name], copy) for name, copy in copies.items() if copy is not weights[name]}.values()
        self.weights: list[Tensor] = [weight for weight, _ in pairs]
        self.copies: list[Tensor] = [copy for _, copy in pairs]
        for weight, copy in pairs:
            if copy.requires_grad:
                copy.register_post_accumulate_grad_hook(_hand_to(weight))

    def forward(self, ids: Tensor, targets: Tensor, at: Tensor | None = None) -> Tensor:
        """The summed loss in nats; the arguments are those of :class:`~minigpt.training.LossModule`."""
        with torch.no_grad():
            torch._foreach_copy_(self.copies, self.weights)
        with torch.autocast(ids.device.type, enabled=False):  # there is nothing left to round
            nats: Tensor = self.module(ids, targets, at)
        self.trained[0].balance_now = self.module.balance_now
        return nats


def not_copied(model: nn.Module) -> str | None:
    """What of a model a copy would not share with it, in words, the first of it; ``None`` where it shares all.

    Hooks of a weight would not see its gradient, other hooks would be copied with what they take notes in, and what a
    forward pass writes to a buffer would stay in the copy.

    Args:
        model: as it is before it is trained.
    """
    if type(model) is not GPT:
        return f"a {type(model).__name__}"
    for name, module in model.named_modules():
        if "forward" in vars(module) or any(vars(module).get(kind) for kind in _HOOKS):
            return f"hooks, or a forward of its own, on {name or 'the model'}"
    for name, weight in model.named_parameters():
        if weight._backward_hooks or getattr(weight, "_post_accumulate_grad_hooks", None):
            return f"hooks on {name}"
    shared = {id(buffer) for part in (model.token_embedding, model.position) for buffer in part.buffers()}
    for name, buffer in model.named_buffers():
        if id(buffer) not in shared:
            return f"the buffer {name}"
    try:
        deepcopy(model, {id(weight): weight for weight in model.parameters()})
    except (RuntimeError, TypeError) as error:  # an activation that is kept, a lock, an open file
        return f"a part that can't be copied ({str(error)[:100]})"
    return None


def _narrow_copy(loss: LossModule, dtype: torch.dtype) -> LossModule:
    """A copy whose blocks, final norm and head are in ``dtype``, with the model's own embeddings."""
    model = loss.model
    assert isinstance(model, GPT)
    copied = deepcopy(loss, {id(part): part for part in (model.token_embedding, model.position)})
    narrow = copied.model
    assert isinstance(narrow, GPT)
    for part in (narrow.blocks, narrow.norm, narrow.head):
        part.to(dtype)
    narrow.drop.register_forward_hook(lambda drop, given, x: x.to(dtype))  # what enters the first block
    return copied


def _hand_to(weight: Tensor) -> Callable[[Tensor], None]:
    """Add the gradient of a copy to that of the weight, as soon as it is there; the copy keeps none."""

    def hand(copy: Tensor) -> None:
        assert copy.grad is not None
        gradient, copy.grad = copy.grad.to(weight.dtype), None
        weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)

    return hand
