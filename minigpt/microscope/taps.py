"""Where the named activations of a model are: each can be read, and replaced, while the model computes.

The model has no code for it. Most activations enter or leave a module, so hooks see them; attention is swapped, in the
layers where its scores or weights are asked for, by the same formula with a tap after each term. What is not asked for
is not computed, and a model whose activations are only read from modules computes bit for bit what it always does.

Dimensions: B batch, T positions, D model width, H query heads, G key/value heads, E head width.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.microscope.attention_taps import attention_handlers, tapped_attend
from minigpt.microscope.frozen_norms import norm_scale, normalised_by
from minigpt.microscope.handlers import Handler, Handlers, Remembered, Taps
from minigpt.microscope.running import looked_at
from minigpt.model import GPT, PreNormBlock, ShortConvolution, SwiGLU
from minigpt.model.experts import MixtureOfExperts
from minigpt.model.hooks import Hook


@contextmanager
def tapped(model: GPT, tap: Hook, names: Collection[str]) -> Iterator[None]:
    """Call a function on some named activations, in the order of computation, while the block runs.

    Other threads that look at a model wait until the block ends.

    Args:
        model: what computes.
        tap: gets a name and its tensor, such as ``(B, T, D)``; returns what replaces the tensor, or ``None``.
        names: the activations that it is called for.

    Raises:
        ValueError: if the model is being looked at already by this thread.
    """
    with looked_at(model):
        taps = Taps(tap, frozenset(names))
        for module, handlers in _handlers(model, taps):
            taps.follow(module, *handlers)
        swaps = [swap for swap in (_position_swap(model, taps), *_attention_swaps(model, taps)) if swap is not None]
        before = [(module, name, vars(module).get(name)) for module, name, _ in swaps]
        try:
            for module, name, function in swaps:
                setattr(module, name, function)
            with taps.watched():
                yield
        finally:
            for module, name, old in before:
                delattr(module, name) if old is None else setattr(module, name, old)


def _handlers(model: GPT, taps: Taps) -> Iterator[Handlers]:
    """The modules whose inputs and outputs are activations. What comes first is called first."""
    yield model.token_embedding, (None, lambda x: taps.at("hook_embed", x))
    for layer, block in enumerate(model.blocks):
        assert isinstance(block, PreNormBlock)
        is_pre = model.config.norm_placement == "pre"
        yield from (_PreNorm if is_pre else _PostNorm)(taps, f"blocks.{layer}.", block).handlers()
    if model.config.norm_placement == "pre":
        yield from _norm(model.norm, "ln_final", taps)
    yield model.head, (None, lambda x: taps.at("logits", x))


class _Block:
    """What both kinds of block have in common."""

    def __init__(self, taps: Taps, prefix: str, block: PreNormBlock) -> None:
        self.taps, self.prefix, self.block = taps, prefix, block

    def at(self, name: str) -> Handler:
        return lambda x: self.taps.at(self.prefix + name, x)

    def parts(self) -> Iterator[Handlers]:
        """The block's input, its convolution, its attention and its MLP."""
        block, before = self.block, Remembered()
        yield block, (self.at("hook_resid_pre"), None)
        if isinstance(block.convolution, ShortConvolution) and self.taps.wants(self.prefix + "hook_conv_out"):

            def added(y: Tensor) -> Tensor:
                seen = y - before.x
                replacement = self.taps.at(self.prefix + "hook_conv_out", seen)
                return y if replacement is seen else before.x + replacement

            yield block.convolution, (before.keep, added)
        yield from attention_handlers(block.attention, self.prefix + "attn.", self.taps)
        yield block.attention, (None, self.at("hook_attn_out"))
        yield from self.within_mlp(block.mlp)
        yield block.mlp, (None, self.at("hook_mlp_out"))

    def within_mlp(self, mlp: nn.Module) -> Iterator[Handlers]:
        """The hidden vector of an MLP; of a mixture of experts, the scores of its router ``(B, T, n)``."""
        if isinstance(mlp, MixtureOfExperts):
            yield mlp.router, (None, self.at("mlp.hook_router"))
            return
        gated = isinstance(mlp, SwiGLU)
        yield mlp.get_submodule("gate" if gated else "expand"), (None, self.at("mlp.hook_pre"))
        if gated:
            yield mlp.get_submodule("expand"), (None, self.at("mlp.hook_pre_linear"))
        yield mlp.get_submodule("contract"), (self.at("mlp.hook_post"), None)


class _PreNorm(_Block):
    """The stream after attention enters two places: the second norm, and the sum at the end of the block."""

    def handlers(self) -> Iterator[Handlers]:
        block, mid, added = self.block, Remembered(), Remembered()

        def middle(x: Tensor) -> Tensor:
            replacement = self.taps.at(self.prefix + "hook_resid_mid", x)
            mid.x = None if replacement is x else replacement
            return replacement

        def end(y: Tensor) -> Tensor:
            return self.taps.at(self.prefix + "hook_resid_post", y if mid.x is None else mid.x + added.x)

        yield from self.parts()
        yield block.norm_1, (self.at("hook_attn_in"), None)
        yield from _norm(block.norm_1, self.prefix + "ln1", self.taps)
        yield block.norm_2, (middle, None)
        yield block.norm_2, (self.at("hook_mlp_in"), None)
        yield from _norm(block.norm_2, self.prefix + "ln2", self.taps)
        yield block.mlp, (None, added.keep)
        yield block, (None, end)


class _PostNorm(_Block):
    """What leaves a norm is the stream."""

    def handlers(self) -> Iterator[Handlers]:
        block = self.block
        yield from self.parts()
        yield block.attention, (self.at("hook_attn_in"), None)
        yield from _norm(block.norm_1, self.prefix + "ln1", self.taps)
        yield block.norm_1, (None, self.at("hook_resid_mid"))
        yield block.mlp, (self.at("hook_mlp_in"), None)
        yield from _norm(block.norm_2, self.prefix + "ln2", self.taps)
        yield block, (None, self.at("hook_resid_post"))


def _norm(norm: nn.Module, prefix: str, taps: Taps) -> Iterator[Handlers]:
    """A norm's scale and its output."""
    entered = Remembered()

    def leaves(y: Tensor) -> Tensor:
        if taps.wants(f"{prefix}.hook_scale"):
            scale = norm_scale(norm, entered.x)
            replacement = taps.at(f"{prefix}.hook_scale", scale)
            y = y if replacement is scale else normalised_by(norm, entered.x, replacement)
        return taps.at(f"{prefix}.hook_normalized", y)

    yield norm, (entered.keep, leaves)


def _attention_swaps(model: GPT, taps: Taps) -> Iterator[tuple[nn.Module, str, Callable[..., Tensor]]]:
    """In place of a layer's way to compute attention: the same, with taps."""
    for layer, block in enumerate(model.blocks):
        assert isinstance(block, PreNormBlock)
        prefix = f"blocks.{layer}.attn.hook_"
        if taps.wants(*(prefix + name for name in ("rot_q", "rot_k", "attn_scores", "pattern"))):
            yield block.attention, "attend", tapped_attend(block.attention.attend, prefix, taps)


def _position_swap(model: GPT, taps: Taps) -> tuple[nn.Module, str, Callable[..., Tensor]] | None:
    """In place of adding positions to the embeddings: the same, with a tap on what is added."""
    if not taps.wants("hook_pos_embed"):
        return None
    position = model.position
    add_to = position.add_to

    def tapped_addition(x: Tensor, *rest: Any) -> Tensor:
        return x + taps.at("hook_pos_embed", add_to(torch.zeros_like(x), *rest))

    return position, "add_to", tapped_addition
