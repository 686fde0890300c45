"""From a text to a trained model in one call: what `minigpt train` does, for notebooks too.

::

    text ──> tokenizer ──> training and validation split ──> model ──> loop ──> run folder

The run folder holds ``run.json`` (how it was started), ``log.jsonl``, ``loss.png`` and the checkpoints.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, overload

import torch
from torch import nn

from minigpt.files.atomic import write_atomically
from minigpt.model import GPT
from minigpt.pretrained import load_pretrained
from minigpt.runs.config import RUN_FILE, RunConfig
from minigpt.runs.splits import open_splits
from minigpt.settings import to_object
from minigpt.text import Dataset, DocumentDataset, Tokenizer, load_tokenizer
from minigpt.training.loop import train
from minigpt.training.processes.distributed import is_main_process
from minigpt.training.report.history import History
from minigpt.training.report.loggers import Logger
from minigpt.training.run_state import model_from
from minigpt.training.same_run import check_same_run
from minigpt.training.storage.loading import load_checkpoint
from minigpt.training.storage.run_folder import Resume, RunFolder
from minigpt.training.weights import load_weights

_Model = TypeVar("_Model", bound=nn.Module)


@dataclass
class Run:
    """A model with the things that belong to it.

    Attributes:
        config: the plan: what to train, on what, and how, with every rule resolved.
        model: the GPT; untrained until :meth:`train` was called.
        tokenizer: between text and the model's ids.
        data: what it learns from.
        validation: what it is measured on.
        history: what happened so far.
    """

    config: RunConfig
    model: GPT
    tokenizer: Tokenizer
    data: Dataset
    validation: Dataset
    history: History = field(default_factory=History)

    def train(
        self, *, resume: Resume | str | bool = Resume.NO, progress: bool = True, loggers: Iterable[Logger] = ()
    ) -> History:
        """Train the model and fill the run folder, or continue the folder's run.

        Args:
            resume: continue the run in the folder; "auto": if there is one.
            progress: print a line at each evaluation, and show a bar where there is a terminal.
            loggers: get each row of the history too.

        Raises:
            ValueError: if the configuration differs from that of the run to be resumed, or can't be used.
        """
        folder = RunFolder.open(self.config.out, resume, writes=is_main_process())
        if folder.resumes:
            check_same_run(to_object(RunConfig.read(folder.path)), to_object(self.config))
        if folder.writes:
            write_atomically(folder.path / RUN_FILE, self.config.to_json().encode())
        self.history = train(
            self.model,
            self.data,
            self.config.training,
            validation=self.validation,
            tokenizer=self.tokenizer,
            out=folder,
            progress=progress,
            loggers=loggers,
        )
        return self.history


def prepare_run(config: RunConfig) -> Run:
    """Read the text, make the tokenizer, the splits and the model, untrained or pretrained.

    Args:
        config: what to train, on what, and how; the run's ``config`` is the plan that it resolves to.

    Raises:
        ValueError: if the text, the tokenizer or a setting can't be used.
    """
    config.resolved()  # a wrong setting is an error before a long text is read
    tokenizer, data, validation = open_splits(config)
    plan = config.resolved(vocab_size=tokenizer.vocab_size, steps=steps_of(config, data))
    return Run(plan, first_model(plan), tokenizer, data, validation)


def steps_of(config: RunConfig, data: Dataset) -> int | None:
    """The number of updates that the epochs over ``data`` come to; ``None`` without epochs."""
    epochs = config.source.epochs
    if epochs is None or not isinstance(data, DocumentDataset):
        return None
    return epochs * data.n_batches(config.training.batch_size)


def first_model(plan: RunConfig) -> GPT:
    """The model before its first update, untrained or pretrained.

    Args:
        plan: a resolved configuration.
    """
    if plan.source.from_pretrained is not None:
        shape = plan.model
        return load_pretrained(plan.source.from_pretrained, dropout=shape.dropout, attention=shape.attention)
    return GPT(plan.model, generator=torch.Generator().manual_seed(plan.training.seed))


def start_run(config: RunConfig, *, resume: Resume | str | bool = Resume.NO, progress: bool = True) -> Run:
    """:func:`prepare_run`, then :meth:`Run.train`: from a text to a trained model in one call.

    Args:
        config: what to train, on what, and how.
        resume: continue the folder's run; "auto": if there is one.
        progress: print a line at each evaluation, and show a bar where there is a terminal.

    Raises:
        ValueError: as those two.
    """
    run = prepare_run(config)
    run.train(resume=resume, progress=progress)
    return run


@overload
def load_model(out: Path | str) -> tuple[GPT, Tokenizer]: ...
@overload
def load_model(out: Path | str, model: _Model) -> tuple[_Model, Tokenizer]: ...
def load_model(out: Path | str, model: nn.Module | None = None) -> tuple[nn.Module, Tokenizer]:
    """The trained model and the tokenizer of a run folder, from its newest whole checkpoint; on the CPU.

    Args:
        out: the run folder.
        model: a model of your own, or a GPT with parts of your own, built as it was for training: it gets the weights,
            and is returned in evaluation mode. ``None`` builds the GPT that the checkpoint describes.

    Raises:
        ValueError: if there is no such checkpoint, it was saved without a tokenizer, or the weights do not fit.
    """
    checkpoint = load_checkpoint(Path(out) / "checkpoints")
    if checkpoint.state["tokenizer"] is None:
        raise ValueError(f"the run in {out} was saved without its tokenizer; pass tokenizer=… to minigpt.train")
    tokenizer = load_tokenizer(checkpoint.state["tokenizer"])
    if model is None:
        return model_from(checkpoint), tokenizer
    load_weights(model, checkpoint.model)
    return model.eval(), tokenizer
