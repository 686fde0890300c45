r"""The loss of a language model straight from its last vectors, some rows at a time: no B · T × V logits in memory.

With GPT-2's vocabulary the logits and their gradient are most of what a training step needs: 50,257 numbers for each
position, twice. But the gradient of a row is known as soon as its logits are, $p - y$ for each of them, and all that is
wanted of it are its products with the head's matrix and with the row. So a few rows' logits are made, turned into
$p - y$ in place, multiplied, and dropped, all in the forward pass; the backward pass only scales the sums.

Dimensions: R rows (all positions of a batch), D model width, V vocabulary; B batch, T positions.
"""

from typing import Any

import torch
from torch import Tensor

from minigpt.equations import equation, fast_twin
from minigpt.model.inspection import is_transformed, keeps_graph, numbers_of
from minigpt.model.loss import REDUCTIONS, check_loss_options, next_token_loss, token_ids

LEAST_ROWS = 32  # fewer make poor use of a CPU
LOGITS = r"z_{ij} = x_i \cdot W_j"
SYMBOLS = {
    "x": "(R, D) last vectors",
    "W": "(V, D) matrix of the head",
    "c": "(R) the tokens that came next, counted from 1",
    "w": "(R) 1 where the row counts, 0 where it is ignored",
}


@fast_twin(
    of=next_token_loss,
    error=2e-6,
    gradient="by hand",
    when='training with `loss="chunked"`',
    faster="the logits of all positions are never in memory at once",
    bfloat16=True,
)
@equation(
    "head-loss",
    r"L = \frac{\sum_{i=1}^{R} w_i \left(\log\left(\sum_{k=1}^{V} \exp(z_{ik})\right) - z_{i,c_i}\right)}"
    r"{\sum_{i=1}^{R} w_i}",
    where=[LOGITS],
    symbols=SYMBOLS | {"L": "() loss in nats per token"},
    source="Goodfellow, Bengio & Courville 2016, Deep Learning, section 6.2.2, of the logits of a linear map",
)
def chunked_next_token_loss(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    rows_at_once: int | None = None,
) -> Tensor:
    r""":func:`next_token_loss` of the logits $x W^\top$, which are never all there.

    In a transform of ``torch.func``, such as ``torch.vmap``, they are: it is then computed from all logits.

    Args:
        x: ``(B, T, D)`` what enters the head, floating point.
        weight: ``(V, D)`` the head's matrix, in the dtype of ``x`` unless under autocast.
        targets: ``(B, T)`` integers: the token after each position, or ``ignore_index``.
        ignore_index: marks the positions that do not count.
        reduction: "mean" over the positions that count (0 if none does), or "sum".
        label_smoothing: ε of :func:`smoothed_cross_entropy`, for training.
        rows_at_once: positions whose logits are in memory together; it changes the speed, and of the result the
            rounding. ``None`` means D / 2, whose logits take half the memory of the matrix's gradient, and at least 32.

    Returns:
        ``()`` in nats per token, or in nats for "sum"; at least float32, as all sums are. It can be differentiated
        once: a backward pass with ``create_graph=True`` raises a ``ValueError``.

    Raises:
        ValueError: if the shapes, dtypes or options do not fit, or a target is not a token (checked on the CPU; a GPU
            would have to wait for the answer).
    """
    check_loss_options(reduction, label_smoothing)
    rows_at_once = max(LEAST_ROWS, x.shape[-1] // 2) if rows_at_once is None else rows_at_once
    if rows_at_once < 1:
        raise ValueError(f"rows_at_once={rows_at_once} must be at least 1, or None to have it chosen")
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    targets = token_ids(targets)
    counts = targets != ignore_index
    if is_transformed():
        _check_shapes(x, weight, targets)
        return next_token_loss(x @ weight.T, targets, ignore_index, reduction, label_smoothing)
    _check_fit(x, weight, targets, counts, mixed=dtype is not None)
    rows = (x.flatten(0, -2), weight, targets.flatten(), counts.flatten())
    with torch.autocast(kind, enabled=False):
        total = _SummedLoss.apply(*rows, label_smoothing, rows_at_once, dtype or x.dtype, torch.is_grad_enabled())
    return REDUCTIONS[reduction](total, counts)


class _SummedLoss(torch.autograd.Function):
    """The summed loss of ``(R, D)`` rows, and its gradients in the same pass."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, targets: Tensor, counts: Tensor,
        smoothing: float, rows_at_once: int, dtype: torch.dtype, wanted: bool,
    ) -> Tensor:  # fmt: skip
        """Keep the gradients where one is wanted, in float32 or wider."""
        ctx.dtypes = x.dtype, weight.dtype
        wants = [wanted and needed for needed in ctx.needs_input_grad[:2]]
        total, *gradients = loss_and_gradients(
            x.to(dtype), weight.to(dtype), targets, counts, smoothing, rows_at_once, wants
        )
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(ctx: Any, d_total: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients: in place, unless the graph is to be used again."""
        if torch.is_grad_enabled():
            raise ValueError(
                "the chunked loss has a first derivative only, and create_graph=True asks for one that can be "
                "differentiated again: use next_token_loss (loss='logits')"
            )
        scaled = torch.mul if keeps_graph() else Tensor.mul_
        gradients = (None if g is None else scaled(g, d_total) for g in ctx.saved_tensors)
        pairs = zip(gradients, ctx.dtypes, strict=True)
        return *(None if g is None else g.to(dtype) for g, dtype in pairs), *(None,) * 6


@equation(
    "head-loss-gradient",
    r"""\begin{aligned}
    L &= \sum_{i=1}^{R} w_i \left(l_i - (1 - \epsilon) z_{i,c_i} - \frac{\epsilon}{V} \sum_{k=1}^{V} z_{ik}\right) \\
    \mathrm{dx}_i &= \sum_{j=1}^{V} g_{ij} W_j \\
    \mathrm{dW}_j &= \sum_{i=1}^{R} g_{ij} x_i
    \end{aligned}""",
    where=[
        r"g_{ij} = w_i \left(p_{ij} - (1 - \epsilon) \mathbb{1}[j = c_i] - \frac{\epsilon}{V}\right)",
        r"p_{ij} = \exp(z_{ij} - l_i)",
        r"l_i = \log\left(\sum_{k=1}^{V} \exp(z_{ik})\right)",
        LOGITS,
    ],
    symbols=SYMBOLS
    | {
        r"\epsilon": "() label smoothing",
        "l": "(R) log-sum-exp of each row of logits",
        "g": "(R, V) gradient of the logits",
        "L": "() summed loss in nats",
        r"\mathrm{dx}": "(R, D) gradient of the last vectors",
        r"\mathrm{dW}": "(V, D) gradient of the head's matrix",
    },
    source="p - y: Bridle 1990, Neurocomputing, 227-236; with the smoothing of Szegedy et al. 2016, arXiv:1512.00567",
)
def loss_and_gradients(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    counts: Tensor,
    smoothing: float = 0.0,
    rows_at_once: int = LEAST_ROWS,
    wants: tuple[bool, bool] | list[bool] = (True, True),
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The summed loss and its gradients in ``x`` and ``weight``, some rows at a time.

    Args:
        x: ``(R, D)``.
        weight: ``(V, D)`` in the same dtype.
        targets: ``(R,)`` int64, in 0 … V-1 where the row counts.
        counts: ``(R,)`` bool, whether the row counts.
        smoothing: ε.
        rows_at_once: rows whose logits are in memory together.
        wants: which of the two gradients.

    Returns:
        ``()`` in nats, ``(R, D)`` and ``(V, D)``, or ``None`` for what is not wanted; in at least float32.
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    # a GPU multiplies 16-bit numbers into float32; a CPU is quicker with float32 from the start
    narrow = wide if x.device.type == "cpu" else x.dtype
    weight, targets = weight.to(narrow), targets.where(counts, 0)
    total = x.new_zeros((), dtype=wide)
    dx, dw = (torch.zeros_like(t, dtype=wide) if wanted else None for t, wanted in zip((x, weight), wants, strict=True))
    for start in range(0, len(x), rows_at_once):
        rows = slice(start, start + rows_at_once)
        some = x[rows].to(narrow)
        z = _product(some, weight.T, wide)
        total += _gradient_in_place(z, targets[rows], counts[rows], smoothing)
        g = z.to(narrow)
        if dx is not None:
            dx[rows] = _product(g, weight, wide)
        if dw is not None:
            _add_product(dw, g.T, some)
        del z, g  # before the next rows' logits are made
    return total, dx, dw


def _gradient_in_place(z: Tensor, targets: Tensor, counts: Tensor, smoothing: float) -> Tensor:
    """Turn logits into their gradient, and return the summed loss."""
    true = targets.unsqueeze(1)
    target_logit = (1 - smoothing) * z.gather(1, true) + smoothing * z.mean(1, keepdim=True)
    largest = z.amax(1, keepdim=True)  # exp overflows, and softmax does not mind the shift
    z.sub_(largest).exp_()
    sums = z.sum(1, keepdim=True)
    z.div_(sums).sub_(smoothing / z.shape[1])
    z.scatter_add_(1, true, torch.full_like(target_logit, smoothing - 1))
    z.mul_(counts.unsqueeze(1))
    return (largest + sums.log() - target_logit).squeeze(1).masked_fill(~counts, 0).sum()


def _product(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix product in a dtype that may be wider than the factors', on a GPU."""
    return a @ b if a.dtype == dtype else torch.mm(a, b, out_dtype=dtype)


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a product to ``total``, in its dtype."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total += _product(a, b, total.dtype)


def _check_shapes(x: Tensor, weight: Tensor, targets: Tensor) -> None:
    if x.shape[:-1] != targets.shape or weight.dim() != 2 or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"x has shape {tuple(x.shape)}, weight {tuple(weight.shape)} and targets {tuple(targets.shape)}; expected "
            "(B, T, D), (V, D) and (B, T)"
        )


def _check_fit(x: Tensor, weight: Tensor, targets: Tensor, counts: Tensor, *, mixed: bool) -> None:
    _check_shapes(x, weight, targets)
    if x.dtype != weight.dtype and not mixed:
        raise ValueError(f"x is {x.dtype} and weight {weight.dtype}; make them one dtype, or run under autocast")
    if targets.device.type != "cpu" or torch.compiler.is_compiling() or not numbers_of(targets).numel():
        return
    there = targets[counts]
    if there.numel() and not 0 <= there.min() <= there.max() < len(weight):
        raise ValueError(
            f"targets run from {there.min()} to {there.max()}, but a head of shape {tuple(weight.shape)} knows 0 to "
            f"{len(weight) - 1}; mark what does not count with ignore_index"
        )
