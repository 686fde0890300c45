"""How far the attention kernel is from the formula in float64, on the GPU that is here or in Triton's interpreter."""

import os
import subprocess
import sys

import torch

from minigpt.bench.attention.setting import Setting
from minigpt.model import causal_mask, masked_attention


def kernel_error() -> float:
    """The largest error of our kernel's output and gradients in float32 on a small case, against float64.

    It is relative to the largest number of each.

    Raises:
        ValueError: if there is neither a GPU nor Triton's interpreter.
    """
    from minigpt.kernels.fused_attention import fused_attention

    setting = Setting(33, 16, True, torch.float32, 1, 2)
    *given, do = setting.draw(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    q, k, v = exact = [x.detach().double().requires_grad_() for x in given]
    ours = fused_attention(*given)[0]
    theirs = masked_attention(q, k, v, causal_mask(setting.n_positions, device=do.device))
    pairs = zip(
        [ours, *torch.autograd.grad(ours, given, do)],
        [theirs, *torch.autograd.grad(theirs, exact, do.double())],
        strict=True,
    )
    return max(((x - y).abs().max() / y.abs().max()).item() for x, y in pairs)


def interpreted_error() -> float:
    """:func:`kernel_error` in Triton's interpreter: in a process of its own, for triton asks once, at its import.

    Raises:
        ValueError: if that process fails, with what it says.
    """
    code = "from minigpt.bench.attention.correctness import kernel_error; print(kernel_error())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "TRITON_INTERPRET": "1"}
    )
    if done.returncode:
        raise ValueError(f"the kernel does not run in Triton's interpreter: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)
