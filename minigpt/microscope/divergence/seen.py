"""What enters and leaves the modules of any model while it computes, by place, in the order of computation."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minigpt.microscope.running import at_rest
from minigpt.microscope.taps import tapped
from minigpt.model import GPT
from minigpt.model.hooks import watched

# Inside the attention of our GPT, between its modules: the name of the activation, and what it is called here.
INSIDE = {"hook_rot_q": "the rotated queries", "hook_rot_k": "the rotated keys"}


class ModulePlace(NamedTuple):
    """Where a tensor is seen.

    Attributes:
        what: such as "what enters" or "the output of".
        module: the name of a module; "" is the whole model.
        nth: which of several tensors, counted from 1: a module may return many, or be called more than once.
    """

    what: str
    module: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.what} {self.module or 'the model'}" + f" (tensor {self.nth})" * (self.nth > 1)


ENTERS, LEAVES = "what enters", "the output of"


class Seen(NamedTuple):
    """A tensor and how much was computed before it.

    Attributes:
        tensor: detached.
        n_layers: modules without parts of their own that had returned.
    """

    tensor: Tensor
    n_layers: int


@torch.no_grad()
def tensors_seen(model: nn.Module, names: Sequence[str], ids: Tensor) -> dict[ModulePlace, Seen]:
    """Compute ``ids`` once in evaluation mode, and keep what enters and leaves some modules.

    Args:
        model: gets ``ids``, on the device of its first parameter.
        names: of its modules.
        ids: ``(B, T)``.

    Raises:
        ValueError: if a module is not there, or there are no ids.
    """
    if not isinstance(ids, Tensor) or not ids.numel():
        raise ValueError(f"ids must be a tensor (B, T) with at least one token, got {_shown(ids)}")
    modules, seen, n_layers = _chosen(model, names), dict[ModulePlace, Seen](), 0
    times = Counter[ModulePlace]()

    def note(place: ModulePlace, x: Tensor) -> None:
        times[place] += 1
        seen[place._replace(nth=times[place])] = Seen(x.detach().clone(), max(1, n_layers))

    def leaves(name: str, x: Tensor) -> None:
        nonlocal n_layers
        n_layers += not any(True for _ in modules[name].children())
        note(ModulePlace(LEAVES, name), x)

    def inside(name: str, x: Tensor) -> None:
        layer, part = name.split(".")[1], name.rpartition(".")[2]
        note(ModulePlace(f"{INSIDE[part]} of", f"blocks.{layer}.attention"), x)

    with ExitStack() as looking:
        looking.enter_context(at_rest(model))
        if isinstance(model, GPT) and model.config.position.startswith("rope"):
            rotated = [f"blocks.{layer}.attn.{part}" for layer in range(model.config.n_layers) for part in INSIDE]
            looking.enter_context(tapped(model, inside, rotated))
        looking.enter_context(
            watched(modules.items(), enters=lambda name, x: note(ModulePlace(ENTERS, name), x), leaves=leaves)
        )
        first = next(model.parameters(), ids)
        model(ids.to(first.device))
    return seen


def _chosen(model: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    modules = dict(model.named_modules(remove_duplicate=False))
    if missing := [name for name in names if name not in modules]:
        known = ", ".join(name for name in list(modules)[:6] if name)
        raise ValueError(f"{type(model).__name__} has no module {missing[0]!r}; it has {known} and more")
    return {name: modules[name] for name in names}


def _shown(ids: object) -> str:
    return f"shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"a {type(ids).__name__}"
