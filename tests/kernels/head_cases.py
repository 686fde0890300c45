"""What the kernels of the loss are asked for, and the reference: ``minigpt.next_token_loss`` of all logits in float64.

In a case's hostile surroundings new tensors are full of NaN, and so is the memory around them, which must stay so, and
around the inputs.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import torch
from attention_cases import DEVICE

from minigpt.kernels import fused_cross_entropy as kernels
from minigpt.kernels.tile_sizes import HeadTiles
from minigpt.model import next_token_loss

# Largest error of the loss and of the gradients, relative to the loss and to the largest gradient.
TOLERANCES = {
    torch.float64: (1e-14, 1e-13),
    torch.float32: (1e-6, 3e-6),
    torch.float16: (1e-6, 1e-3),
    torch.bfloat16: (1e-6, 8e-3),
}
MARGIN = 4096


@dataclass(frozen=True)
class HeadCase:
    """One call: its shape, its options, its tiles and the most numbers of the logits' gradient at once."""

    n_rows: int
    width: int
    vocab: int
    dtype: torch.dtype = torch.float32
    smoothing: float = 0.0
    tiles: tuple[int, int, int] = (16, 32, 16)
    part: int = 1500
    ignored: float = 0.3
    largest_logit: float = 5.0
    seed: int = 0

    def __str__(self) -> str:
        dtype, (rows, columns, depth) = str(self.dtype).removeprefix("torch."), self.tiles
        return f"{self.n_rows}x{self.width}x{self.vocab}-{dtype}-{self.smoothing}-tiles{rows}x{columns}x{depth}"


def matrix() -> list[HeadCase]:
    """Shapes and dtypes, with smoothing, tiles and parts in turn."""
    shapes = [
        (1, 16, 5),
        (33, 24, 101),
        (64, 16, 64),
        (17, 40, 257),
        (50, 5, 3),
        (65, 64, 130),
        (20, 1, 1),
        (3, 129, 7),
    ]
    tiles, found = [(16, 32, 16), (32, 16, 32), (16, 16, 16), (64, 64, 32), (32, 64, 16)], []
    for i, shape in enumerate(shapes):
        for j, dtype in enumerate(TOLERANCES):
            n = i + j
            smoothing = 0.2 if n % 2 and dtype != torch.float64 else 0.0  # its shares reach a kernel in float32
            options = {"smoothing": smoothing, "tiles": tiles[n % 5], "part": (700, 1500, 10**6)[n % 3]}
            found.append(HeadCase(*shape, dtype, **options, seed=n))
    return [*found, HeadCase(40, 20, 90, largest_logit=300.0), HeadCase(9, 20, 90, ignored=1.0, smoothing=0.1)]


def inputs(case: HeadCase) -> dict[str, torch.Tensor]:
    """x, the head's matrix, the targets and the gradient of the loss."""
    generator = torch.Generator().manual_seed(case.seed)
    x, weight = (torch.randn(n, case.width, generator=generator).double() for n in (case.n_rows, case.vocab))
    x *= case.largest_logit / (x @ weight.T).abs().max()
    targets = torch.randint(case.vocab, (case.n_rows,), generator=generator)
    targets[-1] = case.vocab - 1  # the last token of the last tile
    targets[torch.rand(case.n_rows, generator=generator) < case.ignored] = -100
    scale = torch.tensor(-0.7, device=DEVICE, dtype=torch.promote_types(case.dtype, torch.float32))
    given = {name: surrounded(t.to(case.dtype)) for name, t in (("x", x), ("weight", weight))}
    return {**given, "targets": targets.to(DEVICE), "scale": scale}


def surrounded(x: torch.Tensor) -> torch.Tensor:
    """The numbers of ``x`` with NaN before and after them."""
    buffer = torch.full((x.numel() + 2 * MARGIN,), math.nan, dtype=x.dtype, device=DEVICE)
    return buffer[MARGIN:-MARGIN].view(x.shape).copy_(x)


@contextmanager
def surroundings(case: HeadCase):
    """The case's tiles and parts; new tensors full of NaN, in buffers whose margins must not change."""
    margins = []

    def guarded(x, dtype, *shape):
        buffer = torch.full((math.prod(shape) + 2 * MARGIN,), math.nan, dtype=dtype, device=x.device)
        margins.extend([buffer[:MARGIN], buffer[-MARGIN:]])
        return buffer[MARGIN:-MARGIN].view(shape)

    with (
        patch.object(kernels, "_empty", guarded),
        patch.object(kernels, "head_tiles_for", lambda *_: HeadTiles(*case.tiles, 4, 2)),
        patch.object(kernels, "PART", case.part),
    ):
        yield
    assert all(margin.isnan().all() for margin in margins), "memory around an output was written to"


def computed(case: HeadCase, given: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """The loss and its gradients by the kernels."""
    x, weight = (given[name].detach().requires_grad_() for name in ("x", "weight"))
    with surroundings(case):
        loss = kernels.fused_cross_entropy(x, weight, given["targets"], label_smoothing=case.smoothing)
        gradients = torch.autograd.grad(loss, (x, weight), given["scale"])
    return loss, *gradients


def reference(case: HeadCase, given: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """The same from all logits in float64."""
    x, weight = (given[name].detach().double().requires_grad_() for name in ("x", "weight"))
    loss = next_token_loss(x @ weight.T, given["targets"], reduction="sum", label_smoothing=case.smoothing)
    return loss, *torch.autograd.grad(loss, (x, weight), given["scale"].double())


def check(case: HeadCase) -> None:
    """No error is above its bound."""
    given = inputs(case)
    larger = max(1.0, case.largest_logit / 5)  # the rounding of a logit is an error of its exponential
    for_loss, for_gradients = (larger * bound for bound in TOLERANCES[case.dtype])
    names, bounds = ("loss", "dx", "dweight"), (for_loss, for_gradients, for_gradients)
    for name, bound, ours, exact in zip(names, bounds, computed(case, given), reference(case, given), strict=True):
        wide = torch.promote_types(case.dtype, torch.float32)
        assert (ours.shape, ours.dtype) == (exact.shape, wide if name == "loss" else case.dtype), name
        error = ((ours.detach().double() - exact) / exact.abs().max().clamp(min=1e-300)).abs().nan_to_num(math.inf)
        assert error.max().item() <= bound, f"{case}: {name} {error.max().item():.1e} > {bound:.1e}"


def check_frozen() -> None:
    """Only the gradient that is wanted is computed, and it is the same."""
    case = HeadCase(33, 24, 101)
    given = inputs(case)
    both = computed(case, given)[1:]
    for place, name in enumerate(("x", "weight")):
        leaves = {n: given[n].detach().requires_grad_(n == name) for n in ("x", "weight")}
        with surroundings(case):
            loss = kernels.fused_cross_entropy(leaves["x"], leaves["weight"], given["targets"])
            (alone,) = torch.autograd.grad(loss, leaves[name], given["scale"])
        assert alone.equal(both[place]), name
