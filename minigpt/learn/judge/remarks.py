"""The one remark that a right answer may carry: what would go wrong with larger inputs, or in a model."""

from typing import Any

import numpy as np
import torch

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.compare import numbers
from minigpt.learn.judge.judge import Judgement

FORMULA_OVERFLOWS = Words(
    "Evaluated as it is written, exp overflows for large inputs; code subtracts the largest entry of each row first.",
    "按公式直接计算时，输入很大会使 exp 上溢；写成代码时应先减去每行的最大值。",
)
OVERFLOWS = Words(
    "For large inputs exp overflows and the result is NaN: subtract the largest score of each row first, which changes "
    "no weight.",
    "输入很大时 exp 会上溢，结果变成 NaN：先减去每行的最大分数，权重不会改变。",
)
WIDE = Words(
    "The result is float64 and the inputs are float32; in a model it would keep their dtype.",
    "结果是 float64，而输入是 float32；在模型中应保持输入的类型。",
)
#: The argument whose size decides about the scores, where the right result is finite however large they are.
SCORES = {
    "attention_weights": 0,
    "self_attention": 0,
    "scaled_attention": 0,
    "multi_head_attention": 1,
    "next_token_loss": 0,
    "sampling_probabilities": 0,
}
ENLARGED = 100.0


def remark(verdict: Judgement) -> Words | None:
    """What is said of a right answer besides that it is right; ``None`` of most.

    Args:
        verdict: without a fault.
    """
    if verdict.submission.is_formula:
        return FORMULA_OVERFLOWS if verdict.overflows else None
    if overflows_when_enlarged(verdict):
        return OVERFLOWS
    found = verdict.outcomes[0].result
    wide = found is not None and found.form == "array" and found.dtype == "float64"
    return WIDE if wide and any(map(is_float32, verdict.trials[0].arguments)) else None


def overflows_when_enlarged(verdict: Judgement) -> bool:
    """Whether scores that are a hundred times larger give a result that is not finite."""
    place, trial = SCORES.get(verdict.exercise.name), verdict.trials[0]
    if place is None:
        return False
    given = trial.arguments
    outcomes = verdict.submission.outcomes([(*given[:place], given[place] * ENLARGED, *given[place + 1 :])])
    found = numbers(outcomes[0].result, trial) if outcomes else None
    return found is not None and not all(np.isfinite(array).all() for array in found)


def is_float32(value: Any) -> bool:
    """Whether an argument is a tensor of float32."""
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32
