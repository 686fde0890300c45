"""How a model reaches the Triton kernels: they are imported here alone, and only when one is asked for."""

from types import ModuleType

from torch import Tensor

from minigpt.equations import fast_twin
from minigpt.model.loss import REDUCTIONS, check_loss_options, next_token_loss, token_ids
from minigpt.model.norms import rms_norm


def fused_kernels(asked: str, instead: str) -> tuple[ModuleType, ModuleType]:
    """``minigpt.kernels.fused_attention`` and ``minigpt.kernels.fused_cross_entropy``.

    Args:
        asked: what needs them, as the user wrote it.
        instead: what else the user may write.

    Raises:
        ValueError: if there is no triton.
    """
    try:
        from minigpt.kernels import fused_attention, fused_cross_entropy
    except ImportError as error:
        raise ValueError(
            f"{asked} needs triton ({error}): pip install triton, on Linux with a CUDA GPU; or use {instead}"
        ) from None
    return fused_attention, fused_cross_entropy


@fast_twin(
    of=next_token_loss,
    error=3e-6,
    gradient="by hand",
    when='training with `loss="triton"`, on a CUDA GPU',
    faster="a tile of logits at a time, made in registers",
    bfloat16=True,
)
def triton_next_token_loss(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """:func:`minigpt.model.chunked_next_token_loss` by the fused kernel, which takes a tile of logits at a time.

    Args:
        x: ``(B, T, D)`` what enters the head, on a CUDA GPU.
        weight: ``(V, D)`` the head's matrix, in the dtype of ``x`` unless under autocast.
        targets: ``(B, T)`` integers: the token after each position, or ``ignore_index``.
        ignore_index: marks the positions that do not count.
        reduction: "mean" over the positions that count (0 if none does), or "sum".
        label_smoothing: ε of :func:`minigpt.model.smoothed_cross_entropy`.

    Returns:
        ``()`` in nats per token, or in nats for "sum".

    Raises:
        ValueError: if the kernel can't run here, or something does not fit.
    """
    check_loss_options(reduction, label_smoothing)
    _, kernels = fused_kernels("loss='triton'", "loss='chunked', which is as lean in PyTorch")
    targets = token_ids(targets)
    options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    return REDUCTIONS[reduction](kernels.fused_cross_entropy(x, weight, targets, **options), targets != ignore_index)


@fast_twin(
    of=rms_norm,
    error=4e-6,
    gradient="by hand",
    when="in no model: it is the first Triton kernel to read",
    faster="one kernel forward and one backward",
    bfloat16=True,
)
def triton_rms_norm(x: Tensor, gain: Tensor, eps: float = 1e-6) -> Tensor:
    """:func:`minigpt.rms_norm`, same arguments, by the kernel of ``kernels/rms_norm.py``: a teaching example.

    Models use PyTorch's RMSNorm on a GPU. Whether this kernel is faster has not been measured.
    """
    from minigpt.kernels.rms_norm import fused_rms_norm

    return fused_rms_norm(x, gain, eps)
