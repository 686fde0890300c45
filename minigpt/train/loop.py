r"""The training loop: at each step, the gradient of the loss on one batch, and one update against it.

$$g_t = \nabla_\theta \frac{1}{n} \sum_{i=1}^{n} -\log p_\theta(x_{i+1} \mid x_{\le i}), \qquad
\theta_t = \operatorname{AdamW}\big(\theta_{t-1}, \operatorname{clip}(g_t), \eta_t\big)$$

The only state besides weights and moments is the step: the batch, the learning rate and the dropout are functions of
it, so a resumed run goes on exactly where it stopped.

Dimensions: n predicted tokens in the batch, over all its micro-batches.
Source: the seed document, section 3.2 (autoregressive training).
"""

import time
from pathlib import Path

from minigpt.model import GPT
from minigpt.text import Dataset, Tokenizer
from minigpt.train.checkpoint import load_checkpoint, open_run_folder, save_checkpoint
from minigpt.train.config import TrainConfig
from minigpt.train.device import choose_device
from minigpt.train.gradients import accumulate_gradients, keyed_dropout
from minigpt.train.guard import heed, judge
from minigpt.train.history import History, Row
from minigpt.train.optim import AdamW, decay_groups, fused_clip_by_norm
from minigpt.train.progress import Progress
from minigpt.train.run_state import RunState
from minigpt.train.schedule import warmup_cosine
from minigpt.train.stop import StopFlag
from minigpt.train.validation import split_loss


def train(
    model: GPT,
    data: Dataset,
    config: TrainConfig | None = None,
    *,
    validation: Dataset | None = None,
    tokenizer: Tokenizer | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train ``model`` in place.

    Args:
        model: a GPT; it is moved to the device and left there, in evaluation mode.
        data: what it learns from.
        config: how; ``None`` means ``TrainConfig()``.
        validation: what it is measured on, whole, every ``eval_every`` steps and at the end.
        tokenizer: kept in the checkpoints, so that the model can be read later.
        out: folder for ``log.jsonl`` and the checkpoints; ``None`` keeps nothing on disk.
        resume: go on from the newest checkpoint in ``out``.
        progress: print a line at each evaluation, and show a bar where there is a terminal.

    Returns:
        The history of the run, with :meth:`History.plot`.

    Raises:
        ValueError: if the data does not fit the model, the device does not exist, ``out`` holds a run that is not to be
            resumed, or the checkpoint is another run's.
        FloatingPointError: after three steps in a row without a finite loss and gradient.
        OSError: if a checkpoint can't be written.
    """
    config = TrainConfig() if config is None else config
    _check_fit(model, data, validation)
    model.to(choose_device(config.device)).train()
    optimizer = AdamW(decay_groups(model, config.weight_decay), betas=(config.beta_1, config.beta_2))
    run = RunState(model, optimizer, config, data, tokenizer)
    if resume and out is None:
        raise ValueError("resume=True needs the folder of the run: pass out=…")
    folder = None if out is None else open_run_folder(Path(out), resume=resume)
    first = run.restore(load_checkpoint(folder)) if resume and folder is not None else 0
    history = _open_history(folder, first)

    with StopFlag() as stop, Progress(first, config.steps, enabled=progress) as shown:
        for step in range(first, config.steps):
            row = train_step(run, step)
            if validation is not None and _due(step, config.eval_every, config.steps):
                row["validation_loss"] = split_loss(model, validation).mean
            history.append(row)
            shown.show(row)
            if folder is not None and (stop.requested or _due(step, config.checkpoint_every, config.steps)):
                save_checkpoint(folder, run.snapshot(step + 1), keep=config.keep_checkpoints)
            if stop.requested:
                break
    history.close()
    model.eval()
    return history


def train_step(run: RunState, step: int) -> Row:
    """One update of the model, and the figures it leaves in the history.

    An update whose loss or gradient is not finite is skipped with a warning.
    """
    started = time.perf_counter()
    rate = set_learning_rate(run.optimizer, run.config, step)
    inputs, targets = run.data.batch(step, run.config.batch_size, seed=run.config.seed)
    with keyed_dropout(run.model, run.config.seed, step):
        loss = accumulate_gradients(run.model, inputs, targets, run.config.micro_batch)
    norm = fused_clip_by_norm(run.model.parameters(), run.config.clip_norm).item()
    if heed(run, judge(loss, norm), step, loss, norm):
        run.optimizer.step()
    run.optimizer.zero_grad()
    speed = inputs.numel() / (time.perf_counter() - started)
    return {"step": step, "loss": loss, "learning_rate": rate, "gradient_norm": norm, "tokens_per_second": speed}


def set_learning_rate(optimizer: AdamW, config: TrainConfig, step: int) -> float:
    """Give every parameter group the learning rate of this step (counted from 0), and return it."""
    rate = warmup_cosine(
        step + 1, peak=config.learning_rate, final=config.final_rate, warmup_steps=config.warmup, steps=config.steps
    )
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def _check_fit(model: GPT, data: Dataset, validation: Dataset | None) -> None:
    for name, split in (("training", data), ("validation", validation)):
        if split is None:
            continue
        if split.vocab_size > model.config.vocab_size:
            raise ValueError(
                f"the {name} data has vocab_size={split.vocab_size}, the model only {model.config.vocab_size}; build "
                "the model with GPTConfig(vocab_size=tokenizer.vocab_size, …)"
            )
        if split.context_length > model.config.context_length:
            raise ValueError(
                f"the {name} data is cut for context_length={split.context_length}, the model takes "
                f"{model.config.context_length}; make them equal"
            )


def _open_history(folder: Path | None, first: int) -> History:
    if folder is None:
        return History()
    log = folder.parent / "log.jsonl"
    rows = History.read(log, before=first).rows if first and log.exists() else []
    return History(rows, log)


def _due(step: int, every: int, steps: int) -> bool:
    return step + 1 == steps or (every > 0 and (step + 1) % every == 0)
