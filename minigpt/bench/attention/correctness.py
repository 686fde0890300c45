"""How far the attention kernel is from the formula in float64, on the GPU that is here or in Triton's interpreter."""

import os
import subprocess
import sys
from dataclasses import asdict
from itertools import product
from typing import Any

import torch
from torch import Tensor

from minigpt.bench.attention.setting import Setting
from minigpt.model import causal_mask, masked_attention

# By dtype, the largest error of an output that is rounding, relative to the largest number of it.
ALLOWED = {torch.float32: 5e-6, torch.float16: 3e-3, torch.bfloat16: 2.5e-2}


def kernel_error() -> float:
    """The largest error of our kernel's output and gradients in float32 on a small case, against float64.

    It is relative to the largest number of each.

    Raises:
        ValueError: if there is neither a GPU nor Triton's interpreter.
    """
    return error_at(Setting(33, 16, True, torch.float32, 1, 2), _here())


def error_at(setting: Setting, device: torch.device) -> float:
    """The largest error of our kernel's output and gradients in one setting, against the formula in float64.

    Args:
        setting: the problem.
        device: where.

    Returns:
        The error relative to the largest number of each.
    """
    from minigpt.kernels.fused_attention import fused_attention

    *given, do = setting.draw(device)
    q, k, v = exact = [x.detach().double().requires_grad_() for x in given]
    ours = fused_attention(*given, causal=setting.causal)[0]
    mask = causal_mask(setting.n_positions, device=do.device) if setting.causal else None
    theirs = masked_attention(q, k, v, mask)
    pairs = zip(
        [ours, *torch.autograd.grad(ours, given, do)],
        [theirs, *torch.autograd.grad(theirs, exact, do.double())],
        strict=True,
    )
    return max(_apart(x, y) for x, y in pairs)


def _apart(x: Tensor, exact: Tensor) -> float:
    """The largest error over the largest number; of numbers that should all be 0, over 1."""
    largest = exact.abs().max().item()
    return (x - exact).abs().max().item() / (largest if largest > 1e-6 else 1.0)


def kernel_matrix(
    lengths: tuple[int, ...] = (1, 33, 256, 1024),
    widths: tuple[int, ...] = (40, 64, 128),
    dtypes: tuple[torch.dtype, ...] = tuple(ALLOWED),
) -> list[dict[str, Any]]:
    """The error of our attention kernel in every combination, causal or not, with what is allowed, as JSON has it.

    Args:
        lengths: T, in positions.
        widths: E of a head.
        dtypes: of the inputs.
    """
    rows = []
    for dtype, width, causal, length in product(dtypes, widths, (True, False), lengths):
        setting = Setting(length, width, causal, dtype, 2, 3)
        error, allowed = error_at(setting, _here()), ALLOWED[dtype]
        about = asdict(setting) | {"dtype": str(dtype).removeprefix("torch.")}
        rows.append({**about, "error": error, "allowed": allowed, "ok": error <= allowed})
    return rows


def _here() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def interpreted_error() -> float:
    """:func:`kernel_error` in Triton's interpreter: in a process of its own, for triton asks once, at its import.

    Raises:
        ValueError: if that process fails, with what it says.
    """
    return float(interpreted("from minigpt.bench.attention.correctness import kernel_error; print(kernel_error())"))


def interpreted(code: str, at_most: float | None = None) -> str:
    """What a program prints in a process of its own, in which triton interprets.

    Args:
        code: of the program.
        at_most: seconds after which it is ended; ``None`` waits for it.

    Raises:
        ValueError: if it fails, with what it says, or takes longer.
    """
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=at_most
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"the kernel takes more than {at_most:.0f} s in Triton's interpreter") from None
    if done.returncode:
        raise ValueError(f"the kernel does not run in Triton's interpreter: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout
