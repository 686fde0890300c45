"""Triton kernels: installed as ``minigpt.kernels``, imported only when a kernel is asked for.

``minigpt.kernels.fused_attention.fused_attention(q, k, v)`` is attention in one pass over the keys, after
FlashAttention-2; ``GPTConfig(attention="triton")`` runs a model on it. Nobody has timed it on a GPU yet: "auto" stays
with PyTorch's own attention until it is measured to be the faster.

``minigpt.kernels.fused_cross_entropy.fused_cross_entropy(x, weight, targets)`` is the loss of a language model without
its logits; ``TrainConfig(loss="triton")`` trains with it.

``minigpt.kernels.rms_norm`` is a teaching example, the first kernel to read; no model uses it.

This package imports torch and triton only. With ``TRITON_INTERPRET=1`` in the environment before triton's first import,
the kernels run on the CPU, an operation at a time: slow, and made for tests and for stepping through one.
"""

from importlib.util import find_spec

import torch


def available() -> bool:
    """Whether a kernel can run in this process: with triton, and a CUDA GPU or Triton's interpreter."""
    if find_spec("triton") is None:
        return False
    import triton

    return torch.cuda.is_available() or bool(triton.knobs.runtime.interpret)
