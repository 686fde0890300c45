"""Whether a step may change the weights: decided from its loss and gradient norm, before the update."""

import math
import warnings
from enum import IntEnum
from functools import partial

from minigpt.training.gradients import batch_gradient
from minigpt.training.report.history import StepRow
from minigpt.training.run_state import RunState
from minigpt.training.safety.non_finite import first_non_finite

MOST_IN_A_ROW = 3  # steps in a row without a finite gradient before giving up; spikes in a row before they are the rule


class Verdict(IntEnum):
    """What becomes of a step. Where several processes judge the same step, the highest of their verdicts counts."""

    UPDATE = 0
    SPIKE = 1
    OVERFLOW = 2
    NOT_FINITE = 3


def judge(run: RunState, loss: float, norm: float) -> Verdict:
    """The verdict on a step with this loss and this gradient norm, both of all processes, before clipping."""
    if math.isfinite(loss) and math.isfinite(norm):
        return Verdict.SPIKE if run.spikes.is_spike(loss, norm) else Verdict.UPDATE
    scale_may_be_why = math.isfinite(loss) and run.precision.scale > 1
    return Verdict.OVERFLOW if scale_may_be_why else Verdict.NOT_FINITE


def is_allowed(run: RunState, verdict: Verdict, row: StepRow) -> bool:
    """Whether the update is made; if it is not, the row says ``skipped`` and a warning says why.

    A float16 gradient that overflowed only because its loss was scaled is in the order of things: no warning, a smaller
    scale. Spikes are skipped up to twice in a row; a third is the new level, and what was usual is forgotten.

    Raises:
        FloatingPointError: after three steps in a row that are not finite.
    """
    run.precision.update(finite=verdict < Verdict.OVERFLOW)
    if run.precision.is_scaled:
        row["loss_scale"] = run.precision.scale
    run.bad_steps = run.bad_steps + 1 if verdict is Verdict.NOT_FINITE else 0
    run.spikes.in_a_row += verdict is Verdict.SPIKE
    if verdict is Verdict.SPIKE and run.spikes.in_a_row == MOST_IN_A_ROW:
        run.spikes.start_anew()
        verdict = Verdict.UPDATE
    if verdict is Verdict.UPDATE:
        run.spikes.add(row["loss"], row["gradient_norm"])
        return True
    row["skipped"] = 1
    if verdict is not Verdict.OVERFLOW:
        _explain(run, verdict, row)
    return False


def _explain(run: RunState, verdict: Verdict, row: StepRow) -> None:
    """Warn of a step that is skipped, or give up."""
    step, loss, norm = int(row["step"]), row["loss"], row["gradient_norm"]
    what = f"step {step}: loss {loss:.4g}, gradient norm {norm:.4g}"
    if verdict is Verdict.SPIKE:
        usual = f"usually {run.spikes.loss.mean:.4g} and {run.spikes.norm.mean:.4g}"
        warnings.warn(f"{what}, {usual}: a spike, the update is skipped", stacklevel=5)
        return
    where = first_non_finite(run.computes, partial(batch_gradient, run, step))
    if run.bad_steps >= MOST_IN_A_ROW:
        raise FloatingPointError(
            f"{what}: {run.bad_steps} steps in a row are not finite, and none of them changed the weights. Lower the "
            f"learning rate (now {run.config.learning_rate:g}), warm up for longer, or look for broken data. The first "
            f"number that is not finite is {where}"
        )
    warnings.warn(f"{what}: not finite, the update is skipped; first {where}", stacklevel=5)
