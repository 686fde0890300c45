"""Whether a device computes what it should: small models, their losses and gradients, there and on the CPU.

A device may return wrong numbers without an error, and a model trained on them learns badly or not at all. The check
takes two models that have every kind of part between them, the loss of each and all gradients, in the number format
asked for. The reference is computed from the formulas in float64 on the CPU. It takes a fraction of a second, once in a
process.
"""

import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache

import torch
from torch import Tensor, nn

from minigpt.model import GPT, GPTConfig, chunked_next_token_loss, next_token_loss

#: How far a number may be off, relative to the largest of its tensor.
TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
SMALL = {"vocab_size": 61, "context_length": 16, "d_model": 32, "n_layers": 2, "n_heads": 4, "init_std": 0.2}
OTHER_PARTS = {
    "position": "rope-half",
    "norm": "rms",
    "qk_norm": True,
    "mlp": "swiglu",
    "bias": False,
    "n_kv_heads": 2,
    "window": 5,
    "convolution": 3,
    "tied_head": False,
}


@cache
def is_trusted(device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """Whether a device passes the check in a number format; where it does not, one warning says why.

    Args:
        device: computes.
        dtype: of the large products: float32, or 16 bits under autocast.
    """
    fault = fault_of(device, dtype)
    if fault is not None:
        name = str(dtype).removeprefix("torch.")
        warnings.warn(f"{device} computes wrong numbers in {name} and is not used for it: {fault}", stacklevel=2)
    return fault is None


@cache
def fault_of(device: torch.device, dtype: torch.dtype) -> str | None:
    """What a device computes wrong, in words; ``None`` if nothing was found.

    Args:
        device: computes.
        dtype: of the large products.
    """
    chunked = dtype.itemsize > 2  # in 16 bits it needs products that not every device has, and it is a choice
    for parts in ({}, OTHER_PARTS):
        reference = _model(parts, "formula").double()
        expected = _figures(reference, torch.device("cpu"), torch.float64, chunked)
        try:
            found = _figures(_model(parts, "auto"), device, dtype, chunked)
        except (RuntimeError, NotImplementedError) as error:
            return str(error).partition("\n")[0]
        if fault := difference(found, expected, dtype):
            return fault
    return None


def difference(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], dtype: torch.dtype) -> str | None:
    """The first tensor that is not what is expected, in words; ``None`` if all are.

    Args:
        found: tensors by name.
        expected: the same of the reference.
        dtype: in which they were computed; decides how close they must be.
    """
    for name, exact in expected.items():
        exact = exact.detach().cpu().double()
        off, largest = (found[name].detach().cpu().double() - exact).abs().max().item(), exact.abs().max().item()
        if not off <= TOLERANCES[dtype] * largest:
            return f"{name} is off by {off:.2g}, where the largest number is {largest:.2g}"
    return None


def check_compiled(
    block: nn.Module, written: Callable[..., Tensor], compiled: Callable[..., Tensor], x: Tensor, *rest: object
) -> str | None:
    """What a compiled block computes wrong on its first input, in words; ``None`` if nothing was found.

    With dropout, each of the two draws its own masks, so there is nothing to compare.

    Args:
        block: owns the weights.
        written: its forward pass, as written.
        compiled: the same, compiled.
        x: ``(B, T, D)`` its input.
        rest: what else the forward pass is given.
    """
    if block.training and any(isinstance(part, nn.Dropout) and part.p > 0 for part in block.modules()):
        return None
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    wanted = {name: p for name, p in block.named_parameters() if p.requires_grad} if torch.is_grad_enabled() else {}
    figures = []
    for forward in (compiled, written):
        given = x.detach().requires_grad_(x.requires_grad)
        y = forward(given, *rest)
        tensors = [*wanted.values()]
        gradients = torch.autograd.grad(y, tensors, torch.ones_like(y)) if tensors else ()
        figures.append({"its output": y, **_named(wanted, gradients)})
    found, expected = figures
    return difference(found, expected, dtype)


def _named(parameters: Mapping[str, Tensor], gradients: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return {f"the gradient of {name}": gradient for name, gradient in zip(parameters, gradients, strict=True)}


def _model(parts: Mapping[str, object], attention: str) -> GPT:
    settings: dict[str, object] = {**SMALL, **parts, "attention": attention}
    with torch.random.fork_rng([]):  # PyTorch's layers draw weights, before ours are drawn
        return GPT(GPTConfig(**settings), generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]


@torch.enable_grad()
def _figures(model: GPT, device: torch.device, dtype: torch.dtype, chunked: bool) -> dict[str, Tensor]:
    """The loss, the logits and all gradients of one small batch, some of whose positions do not count."""
    ids = (7 * torch.arange(34) % 61).view(2, 17)
    inputs, targets = ids[:, :-1].to(device), ids[:, 1:].masked_fill(ids[:, 1:] % 5 == 0, -100).to(device)
    model = model.to(device)
    with torch.autocast(device.type, dtype) if dtype.itemsize == 2 else nullcontext():
        features = model.features(inputs)
        logits = model.head(features)
        loss = next_token_loss(logits, targets)
        if chunked:
            loss = loss + chunked_next_token_loss(features, model.head.weight, targets)
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return {"the logits": logits, "the loss": loss, **_named(parameters, gradients)}
