"""Triton kernels: installed as ``minigpt.kernels``, imported only when a kernel is asked for.

This package imports torch and triton only. It has no kernel yet; :func:`available` says so, and the model then uses
PyTorch's own fused attention.
"""


def available() -> bool:
    """Whether a fused kernel of ours can run in this process."""
    return False
