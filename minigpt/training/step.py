"""One update: the one piece of code with which the loop, the search for a learning rate and the benchmark train."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from minigpt.text import Dataset, TokenDataset
from minigpt.training.gradients import batch_gradient
from minigpt.training.optim import fast_clip_by_norm
from minigpt.training.report.history import StepRow
from minigpt.training.run_state import RunState
from minigpt.training.safety.guard import is_allowed, judge
from minigpt.training.update import set_learning_rate
from minigpt.training.validation import split_loss


class Figures(NamedTuple):
    """What an update was made from, in all processes together.

    Attributes:
        loss: of the batch before the update, in nats per token.
        norm: of the gradient, before clipping.
        n_positions: in the batch.
    """

    loss: float
    norm: float
    n_positions: float


def update(
    run: RunState,
    gradient: Callable[[], tuple[float, int]],
    rate: float,
    allows: Callable[[Figures], bool] = lambda _: True,
) -> Figures:
    """Take a gradient, clip it, and let the optimizer change the weights.

    Args:
        run: what is trained.
        gradient: adds the gradient to ``.grad``, and returns the loss of this process in nats per token and its
            positions.
        rate: learning rate of the update.
        allows: whether the weights are changed, asked once the loss and the norm are known.
    """
    set_learning_rate(run.optimizer, rate)
    loss, n_positions = gradient()
    run.precision.unscale(run.model.parameters())
    norm = fast_clip_by_norm(run.model.parameters(), run.config.clip_norm).item()
    # the same figures in every process, so that all of them decide alike
    made = Figures(*run.world.sum(loss, norm / run.world.size, n_positions))
    if allows(made):
        run.update()
    run.optimizer.zero_grad()
    return made


def train_step(run: RunState, step: int) -> StepRow:
    """One update of the model, and the figures it leaves in the history.

    An update whose loss or gradient is not finite, or a spike, is skipped with a warning.

    Args:
        run: what is trained.
        step: the number of the update, from 0.
    """
    started, rate = time.perf_counter(), run.config.rate(step + 1)
    row: StepRow = {"step": step}

    def allows(made: Figures) -> bool:
        row.update(loss=made.loss, learning_rate=rate, gradient_norm=made.norm)
        return is_allowed(run, judge(run, made.loss, made.norm), row)

    made = update(run, partial(batch_gradient, run, step), rate, allows)
    if run.loss.balance_now is not None:
        row["balance_loss"] = run.loss.balance_now.item()
    return row | {"tokens_per_second": made.n_positions / (time.perf_counter() - started)}


def evaluated_step(run: RunState, step: int, validation: Dataset | None) -> StepRow:
    """:func:`train_step`, and where an evaluation is due, the loss of the validation split after it.

    Args:
        run: what is trained.
        step: the number of the update, from 0.
        validation: the validation split; ``None`` for none.
    """
    row = train_step(run, step)
    if validation is None or not run.evaluates_after(step):
        return row
    with run.precision.autocast(), run.averaged():
        row["validation_loss"] = split_loss(run.loss, validation, world=run.world).mean
    if validation.floor is not None:
        row["floor"] = validation.floor
    if isinstance(run.data, TokenDataset):
        row["epochs"] = (step + 1) * run.config.batch_size / run.data.n_windows
    return row
