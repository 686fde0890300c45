r"""The loss of a language model straight from its last vectors, as PyTorch sees it: one function and two operators.

$$L = \sum_r w_r \Big(\log \sum_v e^{z_{rv}} - \sum_v y_{rv} z_{rv}\Big), \qquad z_{rv} = x_r \cdot W_v$$

``fused_cross_entropy`` gives what ``minigpt.next_token_loss(x @ weight.T, targets, reduction="sum")`` gives, without
the logits: a tile of them is made in registers and used up at once. It works with autograd, ``torch.compile``, autocast
and the FLOP counter, and has first derivatives in reverse mode.

Backward the logits are made a second time, a part of the vocabulary after another, and a part's gradient is in memory
only until it has been multiplied. Every sum is taken by one program: the same bits come out every time.

Dimensions: R rows, D width, V vocabulary; P tiles of tokens, C tokens in a part.
"""

from typing import Any

import torch
import triton
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from .derivatives import refuse_forward_mode, refuse_second_derivative
from .fused_attention import DTYPES, INTERPRETED, autocast
from .head_tiles import gradient_kernel, loss_kernel, product_kernel
from .tile_sizes import HeadTiles, head_tiles_for

PART = 2**24  # numbers of the logits' gradient that are in memory together


def fused_cross_entropy(
    x: Tensor, weight: Tensor, targets: Tensor, *, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Tensor:
    r"""$\sum_r w_r (\log \sum_v e^{z_{rv}} - \sum_v y_{rv} z_{rv})$: the summed loss of the logits $z = x W^\top$.

    Args:
        x: ``(..., D)`` what enters the head: float16, bfloat16 or float32 (float64 for checks).
        weight: ``(V, D)`` the head's matrix, in the same dtype.
        targets: ``(...)`` int64: a token for each row, or ``ignore_index`` where w is 0.
        ignore_index: marks the rows that do not count.
        label_smoothing: ε; $y$ is $1 - ε$ on the target, and $ε / V$ more on every token.

    Returns:
        ``()`` in nats, in at least float32; 0 if no row counts.

    Raises:
        ValueError: if shapes, dtypes or devices do not fit, or a derivative in forward mode is asked for.
    """
    refuse_forward_mode("the fused loss", "next_token_loss", x, weight)
    x, weight = autocast(x, weight)
    _check_tensors(x, weight, targets)
    rows = x.flatten(0, -2) if x.dim() > 1 else x[None]
    targets = targets.masked_fill(targets == ignore_index, -1).flatten()
    return head_loss(rows.contiguous(), weight.contiguous(), targets, float(label_smoothing))[0]


@torch.library.custom_op("minigpt::head_loss", mutates_args=())
def head_loss(x: Tensor, weight: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """The summed loss, and the log-sum-exp of each row; a target below 0 does not count."""
    return summed_loss(x, weight, targets, smoothing)


@torch.library.custom_op("minigpt::head_loss_backward", mutates_args=())
def head_loss_backward(
    d_total: Tensor, x: Tensor, weight: Tensor, targets: Tensor, lse: Tensor, smoothing: float, wants: list[bool]
) -> tuple[Tensor, Tensor]:
    """The gradients of x and of the matrix; an empty one where none is wanted."""
    return gradients(d_total, x, weight, targets, lse, smoothing, wants)


def summed_loss(x: Tensor, weight: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """What the operator computes: two numbers for each row and tile of tokens, then sums over the tiles."""
    (n_rows, width), vocab = x.shape, len(weight)
    tiles = head_tiles_for(x.device, x.dtype)
    parts = _empty(x, _wide(x), 2, triton.cdiv(vocab, tiles.columns), n_rows)
    with torch.cuda.device_of(x):
        loss_kernel[_grid(n_rows, vocab, tiles)](
            *(x, weight, targets, parts[0], parts[1], n_rows, vocab, width, 1 - smoothing, smoothing / vocab),
            *(tiles.rows, tiles.columns, tiles.depth), **_options(tiles),
        )  # fmt: skip
    lse = parts[0].logsumexp(0)
    return torch.where(targets >= 0, lse - parts[1].sum(0), 0).sum(), lse


def gradients(
    d_total: Tensor, x: Tensor, weight: Tensor, targets: Tensor, lse: Tensor, smoothing: float, wants: list[bool]
) -> tuple[Tensor, Tensor]:
    """What the operator computes: the gradient of a part's logits, and its products, part after part."""
    (n_rows, width), vocab = x.shape, len(weight)
    tiles = head_tiles_for(x.device, x.dtype)
    n_tokens = max(1, PART // max(1, n_rows) // tiles.columns) * tiles.columns
    g = _empty(x, x.dtype, n_rows, min(n_tokens, triton.cdiv(vocab, tiles.columns) * tiles.columns))
    dx = _empty(x, _wide(x), n_rows * wants[0], width).zero_()
    dweight = _empty(x, x.dtype, vocab * wants[1], width)
    with torch.cuda.device_of(x):
        for first in range(0, vocab, n_tokens):
            part = weight[first : first + n_tokens]
            gradient_kernel[_grid(n_rows, len(part), tiles)](
                *(x, part, targets, lse, g, n_rows, len(part), width, g.shape[1], first),
                *(1 - smoothing, smoothing / vocab, tiles.rows, tiles.columns, tiles.depth), **_options(tiles),
            )  # fmt: skip
            if wants[0]:
                _product(g[:, : len(part)], part, dx, d_total, tiles, added=True)
            if wants[1]:
                _product(g[:, : len(part)].T, x, dweight[first : first + n_tokens], d_total, tiles, added=False)
    return dx.to(x.dtype), dweight


def _product(a: Tensor, b: Tensor, out: Tensor, scale: Tensor, tiles: HeadTiles, *, added: bool) -> None:
    """Put ``scale * a @ b`` into ``out``, or add it."""
    (i, j), k = a.shape, b.shape[1]
    grid = (triton.cdiv(i, tiles.rows) * triton.cdiv(k, tiles.columns),)
    product_kernel[grid](
        *(a, b, out, scale, i, j, k, a.stride(), added, tiles.rows, tiles.depth, tiles.columns), **_options(tiles)
    )


@head_loss.register_fake
def _(x: Tensor, weight: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    return x.new_empty((), dtype=_wide(x)), x.new_empty(len(x), dtype=_wide(x))


@head_loss_backward.register_fake
def _(d_total, x, weight, targets, lse, smoothing, wants):  # type: ignore[no-untyped-def]
    (n_rows, width), vocab = x.shape, len(weight)
    return x.new_empty(n_rows * wants[0], width), x.new_empty(vocab * wants[1], width)


def _save(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:
    x, weight, targets, ctx.smoothing = inputs
    ctx.save_for_backward(x, weight, targets, output[1])
    ctx.mark_non_differentiable(output[1])


def _backward(ctx: Any, d_total: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    refuse_second_derivative("the fused loss", "next_token_loss (loss='logits')")
    wants = list(ctx.needs_input_grad[:2])
    found = head_loss_backward(d_total, *ctx.saved_tensors, ctx.smoothing, wants)
    return *(gradient if wanted else None for gradient, wanted in zip(found, wants, strict=True)), None, None


head_loss.register_autograd(_backward, setup_context=_save)


@register_flop_formula(torch.ops.minigpt.head_loss)
def forward_flops(x: tuple, weight: tuple, *_: Any, **__: Any) -> int:
    """One product, 2 operations for each of its R · V · D terms."""
    return 2 * x[0] * x[1] * weight[0]


@register_flop_formula(torch.ops.minigpt.head_loss_backward)
def backward_flops(
    d_total: tuple, x: tuple, weight: tuple, targets: tuple, lse: tuple, smoothing: float, wants: list[bool], **_: Any
) -> int:
    """The logits again, and a product for each gradient that is wanted."""
    return (1 + sum(wants)) * forward_flops(x, weight)


def _grid(n_rows: int, n_tokens: int, tiles: HeadTiles) -> tuple[int]:
    """One program for each tile."""
    return (triton.cdiv(n_rows, tiles.rows) * triton.cdiv(n_tokens, tiles.columns),)


def _options(tiles: HeadTiles) -> dict[str, Any]:
    return {"num_warps": tiles.n_warps, "num_stages": tiles.n_stages, "enable_fp_fusion": True}


def _empty(x: Tensor, dtype: torch.dtype, *shape: int) -> Tensor:
    return x.new_empty(shape, dtype=dtype)


def _wide(x: Tensor) -> torch.dtype:
    """The dtype of sums."""
    return torch.promote_types(x.dtype, torch.float32)


def _check_tensors(x: Tensor, weight: Tensor, targets: Tensor) -> None:
    shapes = f"x {tuple(x.shape)}, weight {tuple(weight.shape)}, targets {tuple(targets.shape)}"
    if not (x.dim() and weight.dim() == 2 and x.shape[-1] == weight.shape[1] and x.shape[:-1] == targets.shape):
        raise ValueError(f"got {shapes}; expected x (..., D), weight (V, D) and targets (...)")
    if x.dtype not in DTYPES or weight.dtype != x.dtype or targets.dtype != torch.int64:
        raise ValueError(
            f"got x {x.dtype}, weight {weight.dtype}, targets {targets.dtype}; expected one dtype for the first two of "
            f"{', '.join(map(str, DTYPES))}, and torch.int64"
        )
    if not {x.device} == {weight.device} == {targets.device}:
        raise ValueError(
            f"got x on {x.device}, weight on {weight.device}, targets on {targets.device}; move them to one device"
        )
    if not x.is_cuda and not INTERPRETED:
        raise ValueError(f"the Triton kernel needs a CUDA GPU, and x is on {x.device}: use loss='chunked'")
