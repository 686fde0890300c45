"""From a text to a trained model in one call: what `minigpt train` does, for notebooks too.

::

    text ──> tokenizer ──> training and validation split ──> model ──> loop ──> run folder

The run folder holds ``run.json`` (how it was started), ``data.json`` (what it read), ``log.jsonl``, ``loss.png`` and
the checkpoints.
"""

import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, overload

import torch
from torch import nn

from minigpt.files.atomic import write_atomically
from minigpt.files.json_object import read_object
from minigpt.files.paths import as_path
from minigpt.model import GPT
from minigpt.pretrained import pretrained_model
from minigpt.runs.config import RUN_FILE, RUN_FORMAT, RunConfig
from minigpt.runs.epochs import refuse_edited_steps, steps_of, tell_other_steps, with_steps_of
from minigpt.runs.read_files import check_unchanged, write_read_files
from minigpt.runs.splits import open_splits, tell_what_is_dropped
from minigpt.settings import to_object
from minigpt.text import Dataset, Tokenizer, load_tokenizer
from minigpt.training.loop import train
from minigpt.training.processes.distributed import check_environment, is_main_process
from minigpt.training.report.history import History
from minigpt.training.report.loggers import Logger
from minigpt.training.run_state import model_from
from minigpt.training.safety.room_for_weights import check_memory
from minigpt.training.same_run import check_same_run
from minigpt.training.storage.folders import checkpoint_folders
from minigpt.training.storage.loading import load_checkpoint
from minigpt.training.storage.own_parts import check_own_parts, check_same_shape, own_parts
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

    def open(self, resume: Resume | str | bool = Resume.NO, *, verify: bool = False) -> RunFolder:
        """Open the run folder to train in it; what would be refused is refused here, before anything is written.

        A run that was stopped before its first checkpoint is started from the beginning, if it is to be resumed.

        Args:
            resume: continue the run in the folder; "auto": if there is one.
            verify: whether prepared shards are read whole and compared with their SHA-256.

        Raises:
            ValueError: if another process trains in the folder, it holds a run that is not to be resumed, or that run
                had other settings or other data.
        """
        check_environment()
        out, resume = self.config.out, Resume.of(resume)
        started = (out / RUN_FILE).is_file()
        early = started and not checkpoint_folders(out / "checkpoints")
        with ExitStack() as undo:
            first = Resume.AUTO if resume is Resume.YES and early else resume
            folder = undo.enter_context(RunFolder.open(out, first, writes=is_main_process()))
            if folder.resumes or (started and first is Resume.AUTO):
                saved = with_whole_paths(RunConfig.read(out))
                check_same_run(to_object(with_steps_of(self.config, saved)), to_object(self.config))
                check_unchanged(out, self.config.source, self.data, self.validation, verify=verify)
                refuse_edited_steps(out, saved, self.config)
            if resume is Resume.YES and not folder.resumes:
                warnings.warn(f"the run in {out} has no checkpoint yet: it starts from the beginning", stacklevel=2)
            undo.pop_all()
        return folder

    def train(
        self,
        folder: RunFolder | None = None,
        *,
        resume: Resume | str | bool = Resume.NO,
        progress: bool = True,
        loggers: Iterable[Logger] = (),
    ) -> History:
        """Train the model and fill the run folder, or continue the folder's run.

        Args:
            folder: as :meth:`open` returned it, which is left open; ``None`` opens it, and closes it at the end.
            resume: continue the run in the folder; "auto": if there is one. Not read where ``folder`` is given.
            progress: print a line at each evaluation, and show a bar where there is a terminal.
            loggers: get each row of the history too.

        Raises:
            ValueError: as :meth:`open`, or if the configuration can't be used.
            OSError: if the folder is gone, or can't be written to.
        """
        if folder is None:
            with self.open(resume) as opened:
                return self.train(opened, progress=progress, loggers=loggers)
        folder.check_present()
        if folder.writes:
            write_read_files(folder.path, self.config.source, self.data, self.validation, resumes=folder.resumes)
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
    tell_what_is_dropped(data, validation)
    plan = with_whole_paths(config.resolved(vocab_size=tokenizer.vocab_size, steps=steps_of(config, data)))
    return Run(plan, first_model(plan), tokenizer, data, validation)


def with_whole_paths(config: RunConfig) -> RunConfig:
    """The same with whole paths in its source, so that a run folder can be used from any directory.

    Args:
        config: its relative paths are those of the current directory.
    """
    names = ("text", "data", "from_pretrained")
    paths = {name: path.absolute() for name in names if (path := getattr(config.source, name)) is not None}
    tokenizer = config.source.tokenizer
    file = {} if tokenizer is None or not Path(tokenizer).is_file() else {"tokenizer": str(Path(tokenizer).absolute())}
    return config.changed(**paths, **file)


def first_model(plan: RunConfig) -> GPT:
    """The model before its first update, untrained or pretrained.

    Args:
        plan: a resolved configuration.

    Raises:
        MemoryError: if the weights alone need more memory than this machine has free.
    """
    if plan.source.from_pretrained is not None:
        shape = plan.model
        return pretrained_model(plan.source.from_pretrained, dropout=shape.dropout, attention=shape.attention)
    check_memory(plan.model)
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
    if Resume.of(resume) is Resume.NO:
        tell_other_steps(config, run.config)
    run.train(resume=resume, progress=progress)
    return run


@overload
def load_model(out: Path | str) -> tuple[GPT, Tokenizer]: ...
@overload
def load_model(out: Path | str, model: _Model) -> tuple[_Model, Tokenizer]: ...
def load_model(out: Path | str, model: nn.Module | None = None) -> tuple[nn.Module, Tokenizer]:
    """The model and the tokenizer in the newest whole checkpoint of a run folder.

    :func:`minigpt.load_pretrained` returns the same pair from a folder of Hugging Face.

    Args:
        out: the run folder.
        model: a model of your own, or a GPT with parts of your own, built as it was for training: it gets the weights,
            and is returned. ``None`` builds the GPT that the checkpoint describes.

    Returns:
        The model in evaluation mode, on the CPU if it is built here, and its tokenizer.

    Raises:
        ValueError: if there is no such checkpoint, it was saved without a tokenizer or by an older minigpt, or
            ``model`` has other weights, another configuration, or parts of other classes than the run's.
    """
    refuse_old(out := as_path(out, "out"))
    checkpoint = load_checkpoint(out / "checkpoints")
    if checkpoint.state["tokenizer"] is None:
        raise ValueError(f"the run in {out} was saved without its tokenizer; pass tokenizer=… to minigpt.train")
    tokenizer = load_tokenizer(checkpoint.state["tokenizer"])
    if model is None:
        return model_from(checkpoint), tokenizer
    check_own_parts(checkpoint.state, own_parts(model))
    check_same_shape(checkpoint.state, model)
    load_weights(model, checkpoint.model)
    return model.eval(), tokenizer


def refuse_old(out: Path) -> None:
    """Refuse a run folder of another format of ``run.json``; one without that file is a run of :func:`minigpt.train`.

    Args:
        out: the run folder.

    Raises:
        ValueError: as :meth:`RunConfig.read`, with what to do.
    """
    path = out / RUN_FILE
    if path.is_file() and read_object(path).get("format") != RUN_FORMAT:
        RunConfig.read(out)
