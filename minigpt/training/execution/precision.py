r"""Mixed precision: the large products in 16 bits, everything that is kept in 32.

============  =================================================================================================
name          what it is
============  =================================================================================================
fp32          every number in float32
bf16          products in bfloat16, which has float32's range and 7 bits of fraction; softmax, norms and the loss in
              float32
bf16-weights  the blocks and the head compute on a bfloat16 copy of their weights; the loss is float32. On a CPU the
              fastest; for one process and a GPT
fp16          products in float16, which has 10 bits of fraction and a small range: the loss is scaled
auto          fp32 where the device has no instructions that multiply bfloat16 or computes wrong numbers; otherwise
              bf16-weights on a CPU, bf16 for several processes, other models, models with hooks or with buffers in
              their blocks, and other devices. A run of bf16-weights times its first step in fp32, too, and takes that
              where it is faster: :func:`~.probing.choose_precision`
============  =================================================================================================

The weights that are trained, their gradients and moments are float32 in all of them.

In float16 the smallest number above 0 is $2^{-24}$, and gradients below it vanish. So the loss is multiplied by a scale
S before the backward pass and the gradient divided by it after: $g = \frac1S \nabla_\theta (S L)$, the same number with
S times as much room below. When the scaled gradient overflows, the step is skipped and S halved; after many steps
without, S is doubled.

On NVIDIA GPUs "fp32" multiplies in full float32. TF32, which is faster and keeps 10 bits of fraction, is a setting of
the whole process and yours to make: ``torch.set_float32_matmul_precision("high")``.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.training.processes.self_check import fault_of, is_trusted

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "bf16-weights": torch.bfloat16, "fp16": torch.float16}
PRECISION_NAMES = (*PRECISIONS, "auto")
FIRST_SCALE = 2.0**16
STEPS_TO_DOUBLE = 2000  # steps without an overflow before the scale is doubled


@equation(
    "loss-scale",
    r"""\begin{aligned}
    S_t &= \begin{cases} \max(1, \frac{1}{2} S_{t-1}) & \text{if } f_t = 0 \\
    2 S_{t-1} & \text{if } n_{t-1} + 1 = N \\
    S_{t-1} & \text{otherwise} \end{cases} \\
    n_t &= f_t (n_{t-1} + 1) \mathbb{1}[n_{t-1} + 1 < N]
    \end{aligned}""",
    where=["S_0 = s", "n_0 = 0"],
    symbols={
        "S": "(T) loss scale after each step",
        "s": "() loss scale of the first step",
        "f": "(T) 1 where the scaled gradient of the step is finite, otherwise 0",
        "n": "(T) finite steps in a row since the scale last changed",
        "N": "() as many of them double the scale",
    },
    source="Micikevicius et al. 2018, arXiv:1710.03740, section 3.2; the rule is that of torch.amp.GradScaler, "
    "except for the least scale of 1",
)
def next_loss_scale(scale: float, streak: int, *, finite: bool, patience: int = STEPS_TO_DOUBLE) -> tuple[float, int]:
    """The loss scale after a step, and the finite steps in a row since it last changed.

    Args:
        scale: S of the step.
        streak: finite steps in a row before it.
        finite: whether its scaled gradient is finite.
        patience: N, at least 1.
    """
    if not finite:
        return max(1.0, scale / 2), 0
    if streak + 1 >= patience:
        return 2 * scale, 0
    return scale, streak + 1


def resolve_precision(name: str, device: torch.device, *, copies: bool = False) -> str:
    """The precision that a name stands for on a device; only "auto" depends on it.

    Args:
        name: as in the table above.
        device: computes.
        copies: whether the model may be trained with a copy of its weights in 16 bits.
    """
    if name != "auto":
        return name
    if not (multiplies_bf16(device) and is_trusted(device, torch.bfloat16)):
        return "fp32"
    return "bf16-weights" if copies and device.type == "cpu" else "bf16"


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device has instructions that multiply bfloat16; without them it is slower than float32.

    Args:
        device: which.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and any(getattr(torch.cpu, test, bool)() for test in BF16_INSTRUCTIONS)


BF16_INSTRUCTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # PyTorch has no public names for these


@dataclass
class Precision:
    """How a run computes its gradients, and for "fp16" the scale of its loss.

    Attributes:
        name: a name in ``PRECISIONS``; "auto" becomes one of them.
        device: where the model is.
        scale: S; 1 and constant except for "fp16".
        streak: finite steps in a row since the scale last changed.
    """

    name: str
    device: torch.device
    scale: float = field(init=False)
    streak: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.name = resolve_precision(self.name, self.device)
        self.scale = FIRST_SCALE if self.is_scaled else 1.0
        self.autocast()  # raises before the first step where the device can't do it
        if self.name != "fp32" and (fault := fault_of(self.device, PRECISIONS[self.name])):
            raise ValueError(f"precision={self.name!r} gives wrong numbers on {self.device} ({fault}); try fp32")

    @property
    def is_scaled(self) -> bool:
        """Whether the loss is scaled."""
        return self.name == "fp16"

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the model runs forward; the backward pass follows by itself.

        Raises:
            ValueError: if the device has no such numbers.
        """
        if self.name == "fp32":
            return nullcontext()
        try:
            return torch.autocast(self.device.type, dtype=PRECISIONS[self.name])
        except RuntimeError as error:
            raise ValueError(f"precision={self.name!r} does not work on {self.device}: {error}; try fp32") from None

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of S times the loss to ``.grad``."""
        (loss if self.scale == 1 else loss * self.scale).backward()

    @torch.no_grad()
    def unscale(self, parameters: Iterable[Tensor]) -> None:
        """Divide the gradients by S, in place."""
        if self.scale != 1:
            torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], 1 / self.scale)

    def update(self, *, finite: bool) -> None:
        """Choose the scale of the next step."""
        if self.is_scaled:
            self.scale, self.streak = next_loss_scale(self.scale, self.streak, finite=finite)
