"""Whether a step may change the weights: decided from its loss and gradient norm, before the update."""

import math
import warnings
from enum import IntEnum

from minigpt.train.history import Row
from minigpt.train.run_state import RunState

PATIENCE = 3  # steps in a row without a finite gradient before giving up


class Verdict(IntEnum):
    """What becomes of a step; the same in every process, since all judge the same figures."""

    UPDATE = 0
    OVERFLOW = 1
    NOT_FINITE = 2


def judge(run: RunState, loss: float, norm: float) -> Verdict:
    """The verdict on a step with this loss and this gradient norm, before clipping."""
    if math.isfinite(loss) and math.isfinite(norm):
        return Verdict.UPDATE
    scale_may_be_why = math.isfinite(loss) and run.precision.scale > 1
    return Verdict.OVERFLOW if scale_may_be_why else Verdict.NOT_FINITE


def heed(run: RunState, verdict: Verdict, row: Row) -> bool:
    """Whether the update is made; if it is not, the row says ``skipped`` and a warning says why.

    A float16 gradient that overflowed only because its loss was scaled is in the order of things: no warning, a smaller
    scale.

    Raises:
        FloatingPointError: after three steps in a row that are not finite.
    """
    run.precision.update(finite=verdict is Verdict.UPDATE)
    if run.precision.is_scaled:
        row["loss_scale"] = run.precision.scale
    if verdict is not Verdict.UPDATE:
        row["skipped"] = 1
    if verdict is not Verdict.NOT_FINITE:
        run.bad_steps = 0
        return verdict is Verdict.UPDATE
    run.bad_steps += 1
    what = f"step {row['step']}: loss {row['loss']}, gradient norm {row['gradient_norm']}"
    if run.bad_steps >= PATIENCE:
        raise FloatingPointError(
            f"{what}: {run.bad_steps} steps in a row are not finite, and none of them changed the weights. Lower the "
            f"learning rate (now {run.config.learning_rate:g}), warm up for longer, or look for broken data"
        )
    if run.world.is_main:
        warnings.warn(f"{what}: not finite, the update is skipped", stacklevel=4)
    return False
