"""What if: the model runs with some activations replaced, or without some of its heads.

Dimensions: B batch, T positions, H query heads, E head width.
"""

import operator
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from minigpt.microscope.names import chosen_names
from minigpt.microscope.record import Activations
from minigpt.microscope.running import at_rest, on_device, on_the_path, require_gpt
from minigpt.microscope.taps import tapped
from minigpt.model import GPT
from minigpt.settings import check_choice, shown

#: What replaces an activation: a tensor, or a function of what the model computed.
Replacement = Tensor | Callable[[Tensor], Tensor]
#: A layer and one of its query heads, both counted from 0.
HeadPlace = tuple[int, int]
#: What an ablated head writes.
ABLATIONS = ("zero", "mean", "resample")


def run_with(
    model: GPT,
    ids: Tensor,
    edits: Mapping[str, Replacement],
    names: str | Iterable[str] | None = "logits",
    *,
    gradients: bool = False,
) -> Activations:
    """Run a model once, without dropout, with some of its activations replaced.

    All that follows is computed from the replacement. What has been computed before it stays.

    Args:
        model: a GPT; nothing is changed in it.
        ids: ``(B, T)`` token ids.
        edits: what replaces each activation, by its name, such as ``(B, T, D)``; in a name, ``*`` stands for anything.
            A function gets a copy, which it may change, and has to return a tensor of the same shape. A replacement
            of another floating-point dtype is rounded to that of the model.
        names: what to record, as in :func:`minigpt.look`; of an activation that is replaced, the replacement.
        gradients: whether the activations belong to a graph that can be differentiated, as in :func:`minigpt.look`.

    Returns:
        The activations, of which ``logits`` are what the model returned with its attention as :func:`minigpt.look`
        computes it.

    Raises:
        ValueError: if a name is unknown, or a replacement has another shape, is complex, has whole numbers, or exceeds
            the dtype of the model.
    """
    require_gpt(model)
    recorded, tensors = set(chosen_names(model, names)), dict[str, Tensor]()
    planned = _planned(model, edits)

    def tap(name: str, x: Tensor) -> Tensor | None:
        y = x
        for edit in planned.get(name, ()):
            y = _edited(name, y, edit)
        if name in recorded:
            tensors[name] = y = on_the_path(y) if gradients else y
        return None if y is x else y

    ids = on_device(model, ids)
    with at_rest(model), torch.set_grad_enabled(gradients), tapped(model, tap, recorded | set(planned)):
        logits = model(ids)
    return Activations(model.config, ids, tensors or {"logits": logits})


def _planned(model: GPT, edits: Mapping[str, Replacement]) -> dict[str, list[Replacement]]:
    """The edits of each activation, in the order in which they are given."""
    if not isinstance(edits, Mapping):
        raise ValueError(f"edits={shown(edits)} must be a dict from names to what replaces them")
    planned: dict[str, list[Replacement]] = {}
    for pattern, edit in edits.items():
        if not isinstance(edit, Tensor) and not callable(edit):
            raise ValueError(f"the edit of {shown(pattern)} is {shown(edit)}; give a tensor, or a function of a tensor")
        for name in chosen_names(model, pattern):
            planned.setdefault(name, []).append(edit)
    return planned


def _edited(name: str, x: Tensor, edit: Replacement) -> Tensor:
    y = edit if isinstance(edit, Tensor) else edit(x.clone())
    if not isinstance(y, Tensor):
        raise ValueError(f"the edit of {name} returned {type(y).__name__}; it must return the tensor that replaces it")
    if y.shape != x.shape:
        raise ValueError(f"the edit of {name} has shape {tuple(y.shape)}; expected {tuple(x.shape)}, as it was")
    return _in_the_dtype_of(x, y, name)


def _in_the_dtype_of(x: Tensor, y: Tensor, name: str) -> Tensor:
    """A replacement as the model computes it: rounded where it has more digits, and never another number."""
    if y.dtype == x.dtype:
        return y.to(x)
    if not y.is_floating_point():
        raise ValueError(
            f"the edit of {name} has dtype {y.dtype}; expected a floating-point tensor, such as {x.dtype} (.float())"
        )
    made = y.to(x)
    if made.isinf().sum() > y.isinf().sum():
        raise ValueError(f"the edit of {name} has numbers that {x.dtype} can't hold, up to {y.abs().max().item():.3g}")
    return made


def ablate(
    heads: Iterable[HeadPlace],
    by: str = "zero",
    reference: Activations | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Replacement]:
    """The edits that take away what some heads write, for :func:`run_with`.

    Args:
        heads: pairs of layer and head.
        by: what a head writes instead: "zero"; "mean", its output averaged over all positions of a reference; or
            "resample", its output in a sequence of the reference that is drawn for each sequence.
        reference: a record with ``hook_z`` of these layers; not needed for "zero".
        generator: for "resample"; ``None`` means PyTorch's global generator.

    Raises:
        ValueError: if there is no reference where one is needed, ``by`` is unknown, or the heads are no pairs.
    """
    check_choice("by", by, ABLATIONS)
    if by != "zero" and reference is None:
        raise ValueError(f"by={by!r} needs a reference: record hook_z on other text with minigpt.look")
    layers: dict[int, list[int]] = {}
    for layer, head in _places(heads):
        layers.setdefault(layer, []).append(head)
    return {
        name: _ablation(by, chosen, None if reference is None else reference[name], generator)
        for layer, chosen in layers.items()
        for name in [f"blocks.{layer}.attn.hook_z"]
    }


def _places(heads: Iterable[HeadPlace]) -> list[HeadPlace]:
    try:
        return [(operator.index(layer), operator.index(head)) for layer, head in heads]
    except (TypeError, ValueError):
        raise ValueError(f"heads={shown(heads)} must be pairs of a layer and a head, such as [(0, 3)]") from None


def _ablation(by: str, heads: list[int], seen: Tensor | None, generator: torch.Generator | None) -> Replacement:
    if seen is not None and not seen.numel():
        raise ValueError(f"the reference holds no token, its hook_z is {tuple(seen.shape)}: record at least one")

    def edit(z: Tensor) -> Tensor:
        if not all(0 <= head < z.shape[2] for head in heads):
            raise ValueError(f"heads {heads} of a layer with {z.shape[2]} heads: they are 0 to {z.shape[2] - 1}")
        if seen is None:
            z[:, :, heads] = 0
        elif by == "mean":
            z[:, :, heads] = seen[:, :, heads].mean((0, 1)).to(z)
        else:
            if seen.shape[1] < z.shape[1]:
                raise ValueError(f"the reference has {seen.shape[1]} positions, and the sequences {z.shape[1]}")
            drawn = torch.randint(len(seen), (len(z),), generator=generator)
            z[:, :, heads] = seen[drawn.to(seen.device), : z.shape[1]][:, :, heads].to(z)
        return z

    return edit
