"""Weights that are written for other programs: every number is finite, and stays so in the type that is written."""

import torch
from torch import Tensor

from minigpt.model import GPT


def check_finite(model: GPT) -> None:
    """Refuse a model with NaN or infinity among its weights.

    A checkpoint of a training keeps such weights, since it is what a run continues from; what is written for other
    programs must be a model that works.

    Args:
        model: to be written.

    Raises:
        ValueError: naming the first weight that holds NaN or infinity.
    """
    for name, weight in model.named_parameters():
        if _is_finite(weight):
            continue
        n_nan, n_wrong = int(weight.isnan().sum()), int((~weight.isfinite()).sum())
        raise ValueError(
            f"{name} holds {'NaN' if n_nan else 'infinity'} ({n_wrong:,} of its {weight.numel():,} numbers are not "
            "finite), so nothing was written; write a model from before its training diverged, such as an earlier "
            "checkpoint, which minigpt.runs.models.open_model opens"
        )


def cast_weights(model: GPT, dtype: torch.dtype) -> GPT:
    """A model with its weights in another type, in place; none of them becomes infinite.

    Args:
        model: is changed only if all its weights can be.
        dtype: floating point.

    Returns:
        ``model``.

    Raises:
        ValueError: naming the first weight with NaN or infinity, or with a number that ``dtype`` can't hold.
    """
    check_finite(model)
    for name, weight in model.named_parameters():
        if not _is_finite(weight.to(dtype)):
            kind = str(dtype).removeprefix("torch.")
            wider = "float32" if dtype == torch.bfloat16 else "bfloat16 or float32"
            raise ValueError(
                f"{name} holds {float(weight.detach().abs().max()):g}, beyond the largest number of {kind}, "
                f"{torch.finfo(dtype).max:g}, so nothing was written; write {wider}"
            )
    return model.to(dtype)


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor.detach()).all())
