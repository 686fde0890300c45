"""The implementations of attention that are timed beside each other: the formula, PyTorch's own, and our kernel."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from minigpt.bench.attention.setting import Setting
from minigpt.model import causal_mask, masked_attention

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def _formula(setting: Setting, device: torch.device) -> Attention:
    mask = causal_mask(setting.n_positions, device=device) if setting.causal else None
    return lambda q, k, v: masked_attention(q, k, v, mask)


def _sdpa(*backends: SDPBackend) -> Callable[[Setting, torch.device], Attention]:
    def make(setting: Setting, device: torch.device) -> Attention:
        def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            with sdpa_kernel(list(backends)):
                return F.scaled_dot_product_attention(q, k, v, is_causal=setting.causal)

        return run

    return make


def _flex(setting: Setting, device: torch.device) -> Attention:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def past(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return t >= s

    t = setting.n_positions
    mask = create_block_mask(past, None, None, t, t, device=str(device)) if setting.causal else None
    compiled = torch.compile(flex_attention, dynamic=False)
    return lambda q, k, v: compiled(q, k, v, block_mask=mask)


def _triton(setting: Setting, device: torch.device) -> Attention:
    from minigpt.kernels.fused_attention import fused_attention

    return lambda q, k, v: fused_attention(q, k, v, causal=setting.causal)[0]


# By the kind of device; the first that runs is what the others are measured by.
CONTENDERS: dict[str, dict[str, Callable[[Setting, torch.device], Attention]]] = {
    "cuda": {
        "flash": _sdpa(SDPBackend.FLASH_ATTENTION),
        "cudnn": _sdpa(SDPBackend.CUDNN_ATTENTION),
        "flex": _flex,
        "triton": _triton,
        "formula": _formula,
    },
    "cpu": {"formula": _formula, "sdpa": _sdpa(SDPBackend.FLASH_ATTENTION, SDPBackend.MATH)},
}
