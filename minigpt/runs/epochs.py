"""How many steps the epochs of a run come to, and settings that give other steps beside them."""

import dataclasses
import warnings
from pathlib import Path

from minigpt.runs.config import RUN_FILE, RunConfig
from minigpt.text import Dataset, DocumentDataset
from minigpt.training import TrainConfig
from minigpt.training.processes.distributed import is_main_process


def steps_of(config: RunConfig, data: Dataset) -> int | None:
    """The number of updates that the epochs over ``data`` come to; ``None`` without epochs."""
    epochs = config.source.epochs
    if epochs is None or not isinstance(data, DocumentDataset):
        return None
    return epochs * data.n_batches(config.training.batch_size)


def tell_other_steps(config: RunConfig, plan: RunConfig) -> None:
    """Warn of steps, as from the file of another run, that the epochs beside them override.

    Args:
        config: as it was given.
        plan: what it was resolved to.
    """
    given, used = config.training.steps, plan.training.steps
    if config.source.epochs is not None and given not in (TrainConfig.steps, used) and is_main_process():
        warnings.warn(
            f"epochs={config.source.epochs} of this text are {used} steps, so steps={given} is not used; to train for "
            f"{given} steps, give --steps {given}",
            stacklevel=3,
        )


def with_steps_of(plan: RunConfig, saved: RunConfig) -> RunConfig:
    """What the file of a run has, with the steps of a plan where both come from epochs: those are compared apart.

    Args:
        plan: what the file is resolved to now.
        saved: what the file has.
    """
    both = saved.source.epochs is not None and plan.source.epochs is not None
    training = dataclasses.replace(saved.training, steps=plan.training.steps)
    return dataclasses.replace(saved, training=training) if both else saved


def refuse_edited_steps(out: Path, saved: RunConfig, plan: RunConfig) -> None:
    """Refuse to continue a run whose file was given other steps than its epochs come to.

    Args:
        out: the run folder.
        saved: what its file has.
        plan: what it is resolved to now.

    Raises:
        ValueError: with both numbers and what to do.
    """
    if with_steps_of(plan, saved) != saved:
        raise ValueError(
            f"{out / RUN_FILE} has steps={saved.training.steps}, and its epochs={saved.source.epochs} are "
            f"{plan.training.steps} steps; write steps={plan.training.steps} back to continue the run, or start "
            f"another with --steps {saved.training.steps}"
        )
