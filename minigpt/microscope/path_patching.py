"""Path patching: what one part of a model tells another one directly, all other paths frozen.

A run is repeated, with a single change: in the input of the receiver, and nowhere else, the contribution of the sender
is that of another run. What lies between the two keeps its values, and what follows the receiver is computed anew.

Dimensions: B batch, T positions, D model width, H query heads, G key/value heads, E head width.
Source: Goldowsky-Dill et al. 2023, arXiv:2304.05969; Wang et al. 2022, arXiv:2211.00593, section 3.
Departure: the MLPs between sender and receiver are frozen too; Wang et al. let them pass the change on.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from minigpt.microscope.interventions import HeadPlace, Replacement, run_with
from minigpt.microscope.record import Activations, look
from minigpt.microscope.running import at_rest, on_device, require_gpt
from minigpt.model import GPT, PreNormBlock
from minigpt.settings import counted, shown, whole_number


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """What reads the stream.

    Attributes:
        layer: of the block; L, the number of blocks, means the final norm and the logits, which read the stream as a
            whole: ``reads`` and ``head`` are then left out.
        reads: "q", "k" or "v" of one head, or "attention" or "mlp" as a whole.
        head: for "q" a query head, for "k" and "v" a key/value head; ``None`` means all of the layer.
    """

    layer: int
    reads: str = "attention"
    head: int | None = None

    def __post_init__(self) -> None:
        whole_number("layer", self.layer, 0)
        if self.head is not None:
            whole_number("head", self.head, 0)
        if self.reads not in ("q", "k", "v", "attention", "mlp"):
            raise ValueError(f"reads={shown(self.reads)} must be one of q, k, v, attention, mlp")
        if self.head is not None and self.reads not in ("q", "k", "v"):
            raise ValueError(f"reads={self.reads!r} has no heads: leave head out, or choose q, k or v")


def patch_path(model: GPT, ids: Tensor, other: Tensor, sender: HeadPlace | str, receiver: Receiver) -> Activations:
    """Run a model with one sender's contribution to one receiver taken from another run.

    Args:
        model: a pre-norm GPT.
        ids: ``(B, T)`` the tokens of the run.
        other: ``(B, T)`` the tokens of the run that the contribution comes from.
        sender: a layer and a head, or the name of what is added to the stream: "hook_embed", "hook_pos_embed",
            "blocks.0.hook_attn_out", "blocks.0.hook_mlp_out".
        receiver: what reads the changed stream.

    Returns:
        A record with the logits.

    Raises:
        ValueError: if the model has no such sender or receiver, the sender does not come before the receiver, or the
            model is post-norm, where no part of the stream is a part's contribution.
    """
    require_gpt(model)
    if model.config.norm_placement != "pre":
        raise ValueError(
            "path patching needs norm_placement='pre': after a norm, the stream is no sum of contributions"
        )
    ids, other = on_device(model, ids), on_device(model, other)
    if ids.shape != other.shape:
        raise ValueError(f"ids {tuple(ids.shape)} and other {tuple(other.shape)} must have the same shape")
    name, place = _sender(model, sender)
    _check_receiver(model, receiver)
    _check_order(place, receiver)
    entered = _entered(model, receiver)
    run, source = look(model, ids, [name, entered]), look(model, other, name)
    change = source[name] - run[name]
    if not isinstance(sender, str):
        change = change[:, :, sender[1]]  # of the one head
    with torch.no_grad(), at_rest(model):
        x = run[entered] + _carried(model, change, int(place), receiver)
        edits = _edits(model, receiver, entered, x)
    return run_with(model, ids, edits)


def _sender(model: GPT, sender: HeadPlace | str) -> tuple[str, float]:
    """The name of a contribution, and where it is added: the layer, and a half more after the MLP."""
    n_layers, n_heads = model.config.n_layers, model.config.n_heads
    if isinstance(sender, tuple | list) and len(sender) == 2:
        try:
            layer, head = whole_number("layer", sender[0], 0, n_layers - 1), whole_number("head", sender[1], 0)
            whole_number("head", head, 0, n_heads - 1)
        except ValueError:
            there_are = f"{counted(n_layers, 'layer')} of {counted(n_heads, 'head')}"
            raise ValueError(f"sender={shown(sender)} is no head: there are {there_are}, counted from 0") from None
        return f"blocks.{layer}.attn.hook_result", layer
    if sender in ("hook_embed", "hook_pos_embed"):
        return sender, -1
    kinds = {"hook_attn_out": 0.0, "hook_mlp_out": 0.5}
    parts = sender.split(".") if isinstance(sender, str) else []
    if len(parts) == 3 and parts[0] == "blocks" and parts[2] in kinds:
        if parts[1] not in map(str, range(n_layers)):
            raise ValueError(
                f"sender={shown(sender)}: there is no layer {parts[1]:.20}; the model has "
                f"{counted(n_layers, 'layer')}, counted from 0"
            )
        return sender, int(parts[1]) + kinds[parts[2]]
    raise ValueError(
        f"sender={shown(sender)} is nothing that is added to the stream: give (layer, head), hook_embed, "
        "hook_pos_embed, blocks.0.hook_attn_out or blocks.0.hook_mlp_out"
    )


def _check_receiver(model: GPT, receiver: Receiver) -> None:
    if not isinstance(receiver, Receiver):
        raise ValueError(f"receiver={shown(receiver)} must be a minigpt.microscope Receiver, such as Receiver(layer=1)")
    end = model.config.n_layers
    if receiver.layer > end:
        raise ValueError(f"receiver.layer={receiver.layer} must be 0 to {end}; {end} is the final norm")
    if receiver.layer == end and (receiver.reads, receiver.head) != ("attention", None):
        raise ValueError(
            f"{receiver}: layer {end} is the final norm, which reads the stream as a whole; leave out reads and head"
        )
    n_heads = model.config.n_heads if receiver.reads == "q" else model.config.kv_heads
    if receiver.head is not None and receiver.head >= n_heads:
        raise ValueError(f"{receiver}: the layer has {counted(n_heads, 'such head')}")


def _check_order(place: float, receiver: Receiver) -> None:
    reading = receiver.layer + (0.25 if receiver.reads == "mlp" else -0.25)
    if place >= reading:
        raise ValueError(
            f"the sender writes to the stream after {receiver} has read it: nothing goes from one to the other"
        )


def _entered(model: GPT, receiver: Receiver) -> str:
    """The name of the stream that the receiver reads."""
    if receiver.layer == model.config.n_layers:
        return f"blocks.{receiver.layer - 1}.hook_resid_post"
    return f"blocks.{receiver.layer}.{'hook_mlp_in' if receiver.reads == 'mlp' else 'hook_attn_in'}"


def _carried(model: GPT, change: Tensor, place: int, receiver: Receiver) -> Tensor:
    """A change of the stream where the receiver reads it: the convolutions on the way are linear."""
    for block in list(model.blocks)[place + 1 : receiver.layer + 1]:
        assert isinstance(block, PreNormBlock)
        change = block.convolution(change)
    return change


def _edits(model: GPT, receiver: Receiver, entered: str, x: Tensor) -> dict[str, Replacement]:
    if receiver.layer == model.config.n_layers:
        return {"ln_final.hook_normalized": model.norm(x)}
    if receiver.reads in ("attention", "mlp"):
        return {entered: x}
    block = model.blocks[receiver.layer]
    assert isinstance(block, PreNormBlock)
    attention = block.attention
    n_q, n_kv = attention.n_heads, attention.n_kv_heads
    heads = rearrange(attention.project_qkv(block.norm_1(x)), "b t (n e) -> b t n e", n=n_q + 2 * n_kv)
    changed = dict(zip("qkv", heads.split([n_q, n_kv, n_kv], dim=2), strict=True))[receiver.reads]

    def edit(old: Tensor) -> Tensor:
        if receiver.head is None:
            return changed
        old[:, :, receiver.head] = changed[:, :, receiver.head]
        return old

    return {f"blocks.{receiver.layer}.attn.hook_{receiver.reads}": edit}
