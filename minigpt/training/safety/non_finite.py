"""Where the first number that is not finite came up: a batch is computed once more, with an eye on every tensor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from minigpt.model.hooks import watched
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.losses import LossModule


def first_non_finite(model: nn.Module, rerun: Callable[[], object]) -> str:
    """The first tensor, in the order of computation, that holds an infinity or a NaN; in words.

    Args:
        model: its modules are watched, by their names; or its loss as a module, which is watched, too.
        rerun: computes the loss and its gradient; ``.grad`` is left with what it adds.

    Returns:
        "in the forward pass: the output of blocks.0.mlp.expand", "in the backward pass: what blocks.1.norm_2 passes
        back", "the weights before the step: head.weight", or that all numbers were finite this time.
    """
    for name, parameter in model.named_parameters():
        if not _is_finite(parameter):
            return f"the weights before the step: {_own_name(model, name)}"
    watch = _Watch()
    with run_blocks(model), watch.hooks(model):
        rerun()
    return watch.first or "nowhere when the batch was computed again; is a part of the model random or not repeatable?"


class _Watch:
    """Takes note of the first tensor that is not finite."""

    def __init__(self) -> None:
        self.first: str | None = None
        self.kept: dict[int, Tensor] = {}  # alive, so that an id means one tensor
        self.passed_back: dict[int, str] = {}  # whose gradient it is: the last module that took the tensor in

    @contextmanager
    def hooks(self, model: nn.Module) -> Iterator[None]:
        """Watch every module's inputs and outputs, their gradients, and those of the weights."""
        named = [(_own_name(model, name), p) for name, p in model.named_parameters()]
        handles = [p.register_hook(partial(self.note_gradient, name)) for name, p in named]
        modules = [(_own_name(model, name), module) for name, module in model.named_modules()]
        try:
            with watched(modules, enters=self.enters, leaves=self.leaves):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def enters(self, name: str, tensor: Tensor) -> None:
        self.follow(tensor, f"what enters {name}", f"what {name} passes back")

    def leaves(self, name: str, tensor: Tensor) -> None:
        self.follow(tensor, f"the output of {name}", f"the gradient of the output of {name}")

    def follow(self, tensor: Tensor, what: str, gradient: str) -> None:
        self.note(tensor, f"in the forward pass: {what}")
        if tensor.requires_grad:
            if id(tensor) not in self.kept:
                self.kept[id(tensor)] = tensor
                tensor.register_hook(partial(self.note_passed_back, id(tensor)))
            self.passed_back[id(tensor)] = gradient

    def note_passed_back(self, key: int, gradient: Tensor) -> None:
        self.note(gradient, f"in the backward pass: {self.passed_back[key]}")

    def note_gradient(self, name: str, gradient: Tensor) -> None:
        self.note(gradient, f"in the backward pass: the gradient of {name}")

    def note(self, tensor: Tensor, words: str) -> None:
        if self.first is None and not _is_finite(tensor):
            self.first = words


def _own_name(watched: nn.Module, name: str) -> str:
    """A name within the model, which may be watched from its loss."""
    if not isinstance(watched, LossModule):
        return name or "the model"
    return "the loss" if not name else name.partition(".")[2] or "the model"


def _is_finite(tensor: Tensor) -> bool:
    own = tensor.to_local() if hasattr(tensor, "to_local") else tensor  # of a sharded weight, the shard
    return bool(torch.isfinite(own).all())
