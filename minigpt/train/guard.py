"""Whether a step may change the weights: decided from its loss and gradient norm, before the update."""

import math
import warnings
from enum import IntEnum

from minigpt.train.run_state import RunState

PATIENCE = 3  # steps in a row without a finite gradient before giving up


class Verdict(IntEnum):
    """What becomes of a step; the same in every process, since all judge the same figures."""

    UPDATE = 0
    NOT_FINITE = 1


def judge(loss: float, norm: float) -> Verdict:
    """The verdict on a step with this loss and this gradient norm, before clipping."""
    return Verdict.UPDATE if math.isfinite(loss) and math.isfinite(norm) else Verdict.NOT_FINITE


def heed(run: RunState, verdict: Verdict, step: int, loss: float, norm: float) -> bool:
    """Whether the update is made; if it is not, a warning says why.

    Raises:
        FloatingPointError: after three steps in a row that are not finite.
    """
    if verdict is Verdict.UPDATE:
        run.bad_steps = 0
        return True
    run.bad_steps += 1
    what = f"step {step}: loss {loss}, gradient norm {norm}"
    if run.bad_steps >= PATIENCE:
        raise FloatingPointError(
            f"{what}: {run.bad_steps} steps in a row are not finite, and none of them changed the weights. Lower the "
            f"learning rate (now {run.config.learning_rate:g}), warm up for longer, or look for broken data"
        )
    if run.world.is_main:
        warnings.warn(f"{what}: not finite, the update is skipped", stacklevel=4)
    return False
