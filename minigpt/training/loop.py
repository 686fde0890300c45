r"""The training loop: at each step, the gradient of the loss on one batch, and one update against it.

$$g_t = \nabla_\theta \frac{1}{n} \sum_{i=1}^{n} -\log p_\theta(x_{i+1} \mid x_{\le i}), \qquad
\theta_t = \operatorname{update}\big(\theta_{t-1}, \operatorname{clip}(g_t), \eta_t\big)$$

where the update is AdamW's or another optimizer's.

The only state besides weights and moments is the step: the batch, the learning rate and the dropout are functions of
it, so a resumed run continues exactly where it stopped.

Dimensions: n predicted tokens in the batch, over all its micro-batches.
Source: the seed document, section 3.2 (autoregressive training).
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from pathlib import Path

from torch import nn
from tqdm import tqdm

from minigpt.text import Dataset, Tokenizer
from minigpt.text.datasets.items import Items
from minigpt.training.config import TrainConfig
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.execution.choosing import with_precision
from minigpt.training.execution.compiling import choose_compile
from minigpt.training.execution.probing import choose_precision
from minigpt.training.execution.timing import draws_kept
from minigpt.training.processes.allocator import keep_freed_memory
from minigpt.training.processes.distributed import World, join_world
from minigpt.training.report.history import History
from minigpt.training.report.loggers import Logger, Loggers, TensorBoardLogger
from minigpt.training.report.progress import Progress
from minigpt.training.run_state import RunState
from minigpt.training.safety.memory_advice import memory_advice
from minigpt.training.safety.parts import check_data, check_model, describe_model
from minigpt.training.safety.stop import StopFlag
from minigpt.training.same_run import what_decides
from minigpt.training.step import evaluated_step
from minigpt.training.storage.checkpoint import Checkpoint
from minigpt.training.storage.run_folder import Resume, RunFolder
from minigpt.training.storage.saver import Saver


def train(
    model: nn.Module,
    data: Dataset | Items,
    config: TrainConfig | None = None,
    *,
    validation: Dataset | Items | None = None,
    tokenizer: Tokenizer | None = None,
    out: Path | str | RunFolder | None = None,
    resume: Resume | str | bool = Resume.NO,
    progress: bool = True,
    loggers: Iterable[Logger] = (),
) -> History:
    """Train ``model`` in place; together with the other processes, if torchrun started several.

    Args:
        model: a GPT, or any module that maps ids ``(B, T)`` to logits ``(B, T, V)``; it is moved to the device and left
            there, in evaluation mode. Strategy "fsdp" leaves it sharded.
        data: what it learns from; or map-style data, such as a torch ``Dataset``, whose items are token ids ``(n,)`` or
            pairs of inputs and targets ``(n,)``.
        config: how; ``None`` means ``TrainConfig()``.
        validation: what it is measured on, whole, every ``eval_every`` steps and at the end.
        tokenizer: kept in the checkpoints, so that the model can be read later.
        out: folder for ``log.jsonl`` and the checkpoints, or one that was opened already; ``None`` keeps nothing on
            disk.
        resume: continue from the newest checkpoint in ``out``; "auto": if there is one.
        progress: print a line at each evaluation, and show a bar where there is a terminal.
        loggers: get each row of the history too, and are closed at the end.

    Returns:
        The history of the run, with :meth:`History.plot`.

    Raises:
        ValueError: if the data does not fit the model, the device does not exist, ``out`` holds a run that is not to be
            resumed or another process trains in, the processes were started differently, or the checkpoint is another
            run's.
        FloatingPointError: after three steps in a row without a finite loss and gradient.
        MemoryError: if the device has too little memory, with what would fit.
        OSError: if a checkpoint can't be written; where it is written in the background, at one of the next steps. Or
            if the folder is moved or deleted while the run trains, or another process of the run has ended.
    """
    config = check_model(model, TrainConfig() if config is None else config)
    batches = check_data(model, data)
    held_out = None if validation is None else check_data(model, validation, "validation")
    if out is None and (Resume.of(resume) is not Resume.NO or config.tensorboard):
        raise ValueError("resume=True and tensorboard=True need the folder of the run: pass out=…")
    with join_world(config.device) as world, _open_folder(out, resume, writes=world.is_main) as folder:
        world.check_alike(what_decides(describe_model(model), config, batches, held_out, tokenizer))
        saved = folder.newest() if folder is not None and folder.resumes else None
        run = _start(model, config, batches, tokenizer, world, saved)
        first = 0 if saved is None else run.restore(saved)
        world.check_equal("the step to go on from", first)
        probes = config.precision == "auto" and not (folder is not None and folder.resumes)
        ways = _ways(run, probes=probes, shown=progress)
        history = _open_history(folder, first, None if held_out is None else held_out.floor)
        history.config = run.config
        with (
            closing(history),
            closing(_open_loggers(loggers, run, folder)) as others,
            run_blocks(run.wrapper, **ways),
            memory_advice(run),
            StopFlag() as stop,
            Saver(folder, run) as saver,
            Progress(first, run.config.steps, enabled=progress and world.is_main) as shown,
        ):
            for step in range(first, run.config.steps):
                row = evaluated_step(run, step, held_out)
                _check_present(folder)
                history.append(row)
                others.log(row)
                saver.after_step(step)
                if stops := world.any(stop.requested):
                    saver.save(step)
                shown.show(row)  # after the save: the terminal may be gone
                if stops:
                    break
    run.finish()
    return history


def _start(
    model: nn.Module,
    config: TrainConfig,
    data: Dataset,
    tokenizer: Tokenizer | None,
    world: World,
    saved: Checkpoint | None,
) -> RunState:
    if world.device.type == "cpu":
        keep_freed_memory()
    model = model.to(world.device).train()
    model.zero_grad()  # a gradient from before, such as that of a run that was interrupted, is not of the first step
    config = with_precision(config, model, world, None if saved is None else saved.state["train_config"])
    world.check_alike({"the precision that 'auto' is on each machine": config.precision})
    return RunState(model, config, data, tokenizer, world)


def _ways(run: RunState, *, probes: bool, shown: bool) -> dict[str, bool]:
    """How the blocks run. What "auto" stands for may be timed, of which no trace is left but the choice."""
    with draws_kept(run.world.device), memory_advice(run):
        seconds = _take_precision(run, shown=shown) if probes else None
        return {
            "recomputed": run.config.activation_checkpointing,
            "compiled": _compiles(run, seconds, shown=shown),
        }


def _take_precision(run: RunState, *, shown: bool) -> float | None:
    """Compute in the precision that "auto" chooses; the seconds of one gradient, where some were timed."""
    chosen = choose_precision(run)
    if chosen.name != run.precision.name:
        run.compute_in(chosen.name)
    if chosen.why is not None and shown and run.world.is_main:
        tqdm.write(chosen.why)
    return chosen.step_seconds


def _compiles(run: RunState, seconds: float | None, *, shown: bool) -> bool:
    """Whether the blocks are compiled; what "auto" has chosen is kept in the configuration, and so in checkpoints."""
    if isinstance(run.config.compile, bool):
        return run.config.compile
    chosen, why = choose_compile(run, seconds)
    run.config = replace(run.config, compile=chosen)
    if shown and run.world.is_main:
        tqdm.write(why)
    return chosen


def _open_folder(
    out: Path | str | RunFolder | None, resume: Resume | str | bool, *, writes: bool
) -> AbstractContextManager[RunFolder | None]:
    """The run folder, closed at the end if it is opened here."""
    if out is None or isinstance(out, RunFolder):
        return nullcontext(out)
    return RunFolder.open(out, resume, writes=writes)


def _check_present(folder: RunFolder | None) -> None:
    if folder is not None:
        folder.check_present()


def _open_history(folder: RunFolder | None, first: int, floor: float | None) -> History:
    if folder is None or not folder.writes:
        return History(floor=floor)
    rows = History.read(folder.log, before=first).rows if first and folder.log.exists() else []
    return History(rows, folder.log, floor=floor)


def _open_loggers(loggers: Iterable[Logger], run: RunState, folder: RunFolder | None) -> Loggers:
    if not run.world.is_main:
        return Loggers(())
    if run.config.tensorboard and folder is not None:
        loggers = [*loggers, TensorBoardLogger(folder.path)]
    return Loggers(loggers)
