r"""Which precision "auto" is in a run: by the CPU's instructions, and where they leave a choice, by the clock.

======================================================  ===========================================================
where                                                   what is chosen
======================================================  ===========================================================
a CPU without instructions that multiply bfloat16       fp32, at once
a GPT alone on a CPU that has them                      bf16-weights, unless fp32 is faster by more than 10 %
other models, several processes, GPUs; short runs       what :func:`~.precision.resolve_precision` says
======================================================  ===========================================================

What is timed is the gradient of the run's own first batch, without the update, in both precisions in turns, the least
of four. Where that is too much arithmetic, it is the largest product of the blocks, forward and backward, on as many
rows as are not. After two seconds no further turn starts. And no run gives more than 5 % of its arithmetic to this: of
whole steps, eight are timed at most, so a run of fewer than 160 is not timed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minigpt.settings.language import Bilingual
from minigpt.training.execution.precision import Precision, multiplies_bf16
from minigpt.training.execution.timing import one_gradient, seconds_in_turns
from minigpt.training.run_state import RunState

PROBE_TURNS, PROBE_TIME = 4, 2.0  # of each precision; seconds
PROBE_SHARE = 0.05  # of the arithmetic of a run
MOST_OPERATIONS = 5e10  # operations that are timed at once: about 0.3 s on two cores in float32
FP32_MARGIN = 0.9  # the update is not timed, and is slower in fp32; and 16 bits need less memory


class PrecisionChoice(NamedTuple):
    """What was chosen.

    Attributes:
        name: of the precision.
        why: in a sentence; ``None`` where there was no choice to make.
        step_seconds: of a gradient in it; ``None`` where none was timed.
    """

    name: str
    why: str | None = None
    step_seconds: float | None = None


def choose_precision(run: RunState) -> PrecisionChoice:
    """The precision of a run that is started with ``precision="auto"``; the run is left as it was.

    Args:
        run: before its first step, in the precision that the instructions of its device suggest.
    """
    precision, wrapper, optimizer, config = run.precision, run.wrapper, run.optimizer, run.config
    if precision.device.type != "cpu":
        return PrecisionChoice(precision.name)
    if not multiplies_bf16(precision.device):
        return PrecisionChoice("fp32", NO_INSTRUCTIONS.spoken())
    if precision.name != "bf16-weights":
        return PrecisionChoice(precision.name)
    operations, tokens = _operations_of_step(run)
    is_whole = operations <= MOST_OPERATIONS
    timed = min(operations, MOST_OPERATIONS)
    if 2 * PROBE_TURNS * timed > PROBE_SHARE * run.config.steps * operations:
        return PrecisionChoice(precision.name)
    try:
        ways = _steps(run, precision.name) if is_whole else _products(run.model, precision.name, tokens)
        seconds = seconds_in_turns(ways, PROBE_TURNS, PROBE_TIME)
    finally:
        run.precision, run.wrapper, run.optimizer, run.config = precision, wrapper, optimizer, config
    name = faster_precision(seconds)
    return PrecisionChoice(name, _sentence(name, seconds, is_whole), seconds[name] if is_whole else None)


def faster_precision(seconds: Mapping[str, float]) -> str:
    """The one to train in: the 16-bit one, unless fp32 is faster by more than 10 %.

    Args:
        seconds: what the same work takes in "fp32" and in one other precision.
    """
    (narrow,) = (name for name in seconds if name != "fp32")
    return "fp32" if seconds["fp32"] < FP32_MARGIN * seconds[narrow] else narrow


NO_INSTRUCTIONS = Bilingual(
    "precision fp32: this CPU has no instructions that multiply bfloat16", "精度 fp32：这个 CPU 没有 bfloat16 乘法指令"
)


def _sentence(name: str, seconds: Mapping[str, float], is_whole: bool) -> str:
    (other,) = (each for each in seconds if each != name)
    own, others = (f"{1000 * seconds[each]:,.1f}" for each in (name, other))
    of = Bilingual("a step", "一步") if is_whole else Bilingual("the largest product", "最大的矩阵乘积")
    return Bilingual(
        f"precision {name}: {of.en} takes {own} ms against {others} ms in {other}",
        f"精度 {name}：{of.zh}用 {own} 毫秒，{other} 用 {others} 毫秒",
    ).spoken()


def _operations_of_step(run: RunState) -> tuple[float, int]:
    """About how many operations a step takes, and its tokens."""
    config = run.config
    inputs, _ = run.data.batch(0, config.batch_size, seed=config.seed, rank=0, world_size=1)
    n_weights = sum(p.numel() for p in run.model.parameters() if p.dim() == 2)
    return 6.0 * n_weights * inputs.numel(), inputs.numel()


def _steps(run: RunState, narrow: str) -> dict[str, Callable[[], object]]:
    ways: dict[str, Callable[[], object]] = {}
    for name in (narrow, "fp32"):
        run.compute_in(name)
        ways[name] = partial(_gradient_in, run, run.precision, run.wrapper)
    return ways


def _gradient_in(run: RunState, precision: Precision, wrapper: nn.Module) -> None:
    run.precision, run.wrapper = precision, wrapper
    one_gradient(run)


def _products(model: nn.Module, narrow: str, tokens: int) -> dict[str, Callable[[], object]]:
    blocks = model.get_submodule("blocks")
    weight = max((p.detach() for p in blocks.parameters() if p.dim() == 2), key=Tensor.numel)
    rows = max(1, min(tokens, int(MOST_OPERATIONS / (6 * weight.numel()))))
    x, dy = (torch.ones(rows, width) for width in reversed(weight.shape))

    def way(dtype: torch.dtype) -> Callable[[], object]:
        a, w, g = (tensor.to(dtype) for tensor in (x, weight, dy))
        return lambda: (a @ w.T, g @ w, g.T @ a)

    return {narrow: way(torch.bfloat16), "fp32": way(torch.float32)}
