"""Derivatives that the kernels do not have: each is one error, where PyTorch would return a wrong number or 0."""

import torch
from torch import Tensor
from torch.autograd import forward_ad


def refuse_forward_mode(name: str, instead: str, *tensors: Tensor) -> None:
    """Raise an error where the operator would let a tangent drop, and the derivative would be 0."""
    if any(forward_ad.unpack_dual(x).tangent is not None for x in tensors):
        raise ValueError(
            f"{name} has no derivative in forward mode (torch.func.jvp): use {instead}, or reverse mode (backward)"
        )


def refuse_second_derivative(name: str, instead: str) -> None:
    """Raise an error in a backward pass that must itself be differentiable."""
    if torch.is_grad_enabled():
        raise ValueError(
            f"{name} has a first derivative only, and create_graph=True asks for one that can be differentiated again: "
            f"use {instead}"
        )
