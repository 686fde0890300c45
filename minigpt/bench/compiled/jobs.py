"""What is compiled: which kernel for which GPU, dtype, width and mask."""

from itertools import product
from typing import NamedTuple

from minigpt.bench.compiled.targets import TARGETS
from minigpt.kernels import head_tiles, rms_norm
from minigpt.kernels.flash_backward import keys_values_kernel, normaliser_kernel, queries_kernel
from minigpt.kernels.flash_forward import forward_kernel
from minigpt.kernels.tile_sizes import FORWARD, KEYS_VALUES, PRODUCTS, QUERIES


class Job(NamedTuple):
    """One kernel for one GPU, dtype ("bf16", "fp16" or "fp32") and width, with one pattern of ``PATTERNS``."""

    target: str
    kernel: str
    dtype: str
    width: int
    pattern: str = "causal"


PATTERNS = {
    "causal": {"CAUSAL": True, "WINDOWED": False, "GROUP": 1},
    "full": {"CAUSAL": False, "WINDOWED": False, "GROUP": 1},
    "window": {"CAUSAL": True, "WINDOWED": True, "GROUP": 4},  # with shared heads: every kind of loop there is
}
ATTENTION_KERNELS = {
    FORWARD: forward_kernel,
    "normaliser": normaliser_kernel,
    QUERIES: queries_kernel,
    KEYS_VALUES: keys_values_kernel,
}
ROW_KERNELS = {"rms_forward": rms_norm.forward_kernel, "rms_backward": rms_norm.backward_kernel}
HEAD_KERNELS = {
    "head_loss": head_tiles.loss_kernel,
    "head_gradient": head_tiles.gradient_kernel,
    "head_dx": head_tiles.product_kernel,
    "head_dweight": head_tiles.product_kernel,
}


def choose_jobs(everything: bool = False) -> list[Job]:
    """What is compiled: causal kernels in bf16 for four generations, or every GPU, dtype, width and mask.

    In fp16 and fp32 a causal mask with a window, which has every kind of loop, stands for all masks.
    """
    gpus = tuple(TARGETS) if everything else ("sm_80", "sm_90", "sm_100", "gfx942")
    masked, plain = [("bf16", "causal")], ["bf16"]
    if everything:
        masked += [("bf16", "full"), ("bf16", "window"), ("fp16", "window"), ("fp32", "window")]
        plain += ["fp32"]
    heads, rows = ((64, 128, 256), (768, 4096, 8192)) if everything else ((64, 128), (4096,))
    model_width = 768  # the kernels of the loss are compiled for any
    found = []
    for gpu in gpus:
        for kernel, width, (dtype, mask) in product(PRODUCTS, heads, masked):
            found.append(Job(gpu, kernel, dtype, width, mask))
        found += [Job(gpu, "normaliser", dtype, width) for width, dtype in product(heads, plain)]
        found += [Job(gpu, kernel, dtype, width) for kernel, width, dtype in product(ROW_KERNELS, rows, plain)]
        found += [Job(gpu, kernel, dtype, model_width) for kernel, dtype in product(HEAD_KERNELS, plain)]
    return found
