"""How a model's blocks run while it trains: as written, recomputed, or compiled.

Recomputed (activation checkpointing): only the input of each block is kept for the backward pass, which runs the block
a second time to have the rest. The gradients are the same to the last bit, dropout included; a step costs a third more
arithmetic and needs far less memory. Chen et al. 2016, arXiv:1604.06174.

Compiled: ``torch.compile`` makes one program of a block, used for all of them. Sums are taken in another order, so
numbers differ in the last digits, and dropout draws other masks. On its first input a compiled block is compared with
the block as written, where there is no dropout; one that computes something else is not used.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from minigpt.model.block import PreNormBlock
from minigpt.training.processes.self_check import check_compiled

Forward = Callable[..., Tensor]


@contextmanager
def run_blocks(model: nn.Module, *, recomputed: bool = False, compiled: bool = False) -> Iterator[None]:
    """Run the blocks of ``model`` in this way within the context; by default as written.

    Names and weights stay as they are, so that checkpoints are the same whichever way a model is trained.
    """
    blocks = [module for module in model.modules() if isinstance(module, PreNormBlock)]
    before = [vars(block).pop("forward", None) for block in blocks]
    if recomputed or compiled:
        for block in blocks:
            vars(block)["forward"] = _changed(block, recomputed, compiled)
    try:
        yield
    finally:
        for block, forward in zip(blocks, before, strict=True):
            vars(block).pop("forward", None)
            if forward is not None:
                vars(block)["forward"] = forward


def _changed(block: PreNormBlock, recomputed: bool, compiled: bool) -> Forward:
    forward: Forward = block.forward
    if recomputed:
        forward = partial(checkpoint, forward, use_reentrant=False)
    return _compile(block, forward) if compiled else forward


def _compile(block: PreNormBlock, forward: Forward) -> Forward:
    fast, checked = torch.compile(forward), False

    def call(*arguments: Tensor) -> Tensor:
        nonlocal fast, checked
        from torch._dynamo.exc import TorchDynamoException  # imported with the compiler, which is heavy

        try:
            if not checked and (fault := check_compiled(block, forward, fast, *arguments)):
                warnings.warn(f"the compiled block computes wrong numbers and is not used: {fault}", stacklevel=2)
                fast = forward
            checked = True
            return fast(*arguments)
        except TorchDynamoException as error:
            reason = str(error).strip().partition("\n")[0]
            raise ValueError(
                f"torch.compile does not work here: {reason}. On the CPU it needs a C++ compiler (on Debian and Ubuntu "
                "`apt install g++`, on a Mac `xcode-select --install`), on a GPU triton; or train with compile=False"
            ) from None

    return call
