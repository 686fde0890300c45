"""From a text to a trained model in one call: what `minigpt train` does, for notebooks too.

::

    text ──> tokenizer ──> training and validation split ──> model ──> loop ──> run folder

The run folder holds ``run.json`` (how it was started), ``log.jsonl``, ``loss.png`` and the checkpoints.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from minigpt.files.atomic import write_atomically
from minigpt.model import GPT, GPTConfig
from minigpt.pretrained import load_pretrained, pretrained_config
from minigpt.runs.recipes import Recipe, recipe
from minigpt.runs.splits import open_splits
from minigpt.text import Dataset, DocumentDataset, Tokenizer, load_tokenizer
from minigpt.text.tinyworld import TinyWorld, task_of
from minigpt.training.config import TrainConfig, check_same_run
from minigpt.training.loop import train
from minigpt.training.optim import OPTIMIZERS, AdamW
from minigpt.training.processes.distributed import is_main_process
from minigpt.training.report.history import History
from minigpt.training.report.loggers import Logger, TensorBoardLogger
from minigpt.training.run_state import model_from
from minigpt.training.storage.loading import load_checkpoint
from minigpt.training.storage.opening import open_run_folder, resumes


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What to train, on what, and how; ``None`` leaves a choice to the preset or the recipe.

    Attributes:
        text: a UTF-8 text file, or a folder of them.
        corpus: a corpus by name: "python-docs", "tiny-world" or "shakespeare"; used where no text is given.
        data: a folder that `minigpt prepare` made; used instead of a text.
        task: "story", "translate", "qa" or "dialogue": examples of the tiny world without end, instead of a text.
        language: of a task's stories: "en", "zh", or "both" in turn.
        from_pretrained: a folder of Hugging Face with a GPT-2: the run starts from its weights, with its tokenizer.
        tokenizer: "char", "bpe:1024" (trained here, to that many tokens), "gpt2", or a saved tokenizer's file.
        preset: the size: "nano", "micro", "gpt2", …; a pretrained model has its own.
        recipe: the parts and settings: "gpt2", "fast", "as-written", or a task's own, which is named after it.
        context_length: the most tokens the model sees at once.
        steps: how many updates.
        batch_size: sequences for each update.
        micro_batch_size: sequences at once through the model, a divisor of the batch size; fewer need less memory.
        optimizer: "adamw", "adam", "muon", "lion", "momentum" or "sgd".
        learning_rate: the highest, reached after the warm-up.
        schedule: how the learning rate goes on: "cosine", "linear", "constant" or "wsd" (stays, then falls).
        warmup_steps: updates over which the learning rate rises from 0.
        final_learning_rate: the lowest, at the last step.
        decay_steps: updates over which "wsd" falls at the end.
        beta_1: how slowly the mean of gradients forgets (Adam, AdamW, Lion).
        beta_2: how slowly the mean of squared gradients forgets (Adam, AdamW).
        momentum: how slowly the mean of gradients forgets (Momentum, Muon).
        weight_decay: how strongly matrices and embeddings are pulled to 0.
        clip_norm: the largest norm of a gradient.
        label_smoothing: the share of certainty that the training loss gives to all tokens alike.
        ema: how slowly an average of the weights forgets, such as 0.99; the average is what the run ends with.
        dropout: the share of activations dropped in training.
        initialisation: "gpt2", "plain" or "zero": how each block's last matrices start.
        init_std: standard deviation of the initial weights.
        attention: "auto", "formula", "sdpa" or "triton".
        validation_fraction: the share of the text, at its end, that is kept for validation.
        spike_threshold: skip a step whose loss or gradient norm lies more than this many standard deviations above its
            running mean; by default none is. 6 is a cautious choice.
        seed: of the initial weights, the order of the data and the dropout.
        eval_every: steps between two passes over the whole validation split.
        checkpoint_every: steps between two checkpoints.
        background_saves: write checkpoints while training goes on; it needs memory for one more copy of the run.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        strategy: under torchrun, "ddp" keeps a copy of the model in each process, "fsdp" a shard of every weight.
        sharded_checkpoints: with "fsdp", each process writes its shards, for models that no process can hold whole.
        precision: "fp32"; "bf16" or "fp16" for products in 16 bits, which is faster on most GPUs; "auto": bf16
            where the device has instructions for it.
        loss: "logits", "chunked" or "triton": how the loss is computed. "chunked" takes some positions at a time:
            as quick, and far less memory with a large vocabulary.
        activation_checkpointing: keep only the input of each block for the backward pass, and compute the rest a second
            time: far less memory, a third more time, the same numbers.
        compile: run the blocks through torch.compile: slow to start, then faster; it needs a C++ compiler.
        tensorboard: write TensorBoard's event files beside log.jsonl; needs the extra `log`.
        out: the run folder.
    """

    text: Path | None = None
    corpus: str = "python-docs"
    data: Path | None = None
    task: str | None = None
    language: str = "en"
    from_pretrained: Path | None = None
    tokenizer: str | None = None
    preset: str = "nano"
    recipe: str | None = None
    context_length: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    micro_batch_size: int | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    warmup_steps: int | None = None
    final_learning_rate: float | None = None
    decay_steps: int | None = None
    beta_1: float | None = None
    beta_2: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    label_smoothing: float | None = None
    ema: float | None = None
    dropout: float | None = None
    initialisation: str | None = None
    init_std: float | None = None
    attention: str | None = None
    validation_fraction: float = 0.1
    spike_threshold: float | None = None
    seed: int = 0
    eval_every: int = 250
    checkpoint_every: int = 500
    background_saves: bool = False
    device: str = "auto"
    strategy: str = "ddp"
    sharded_checkpoints: bool = False
    precision: str | None = None
    loss: str = "logits"
    activation_checkpointing: bool = False
    compile: bool = False
    tensorboard: bool = False
    out: Path = Path("runs/default")

    def __post_init__(self) -> None:
        for name in ("text", "data", "from_pretrained", "out"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, Path(value))
        if self.task is not None:
            task_of(self.task)
            TinyWorld(self.language)
            if given := [name for name in ("text", "data") if getattr(self, name) is not None]:
                raise ValueError(f"task={self.task!r} makes up its own text; leave {' and '.join(given)} out")

    @property
    def chosen(self) -> Recipe:
        """The recipe, with ``None`` resolved: the task's own, or "gpt2".

        Raises:
            ValueError: if there is none of that name.
        """
        return recipe(self.recipe or self.task or "gpt2")

    def model_config(self, vocab_size: int) -> GPTConfig:
        """The model's configuration: preset, then recipe, then what was set here.

        Args:
            vocab_size: V; a pretrained model has its own.

        Raises:
            ValueError: if a field is wrong, or a part of a pretrained model is to be another.
        """
        changes = {**self.chosen.model, **self._set_of(GPTConfig)}
        if self.from_pretrained is None:
            return GPTConfig.preset(self.preset, vocab_size=vocab_size, **changes)
        free = {name: changes.pop(name) for name in ("dropout", "attention") if name in changes}
        changes.pop("context_length", None)  # shorter rows leave a pretrained model as it is
        if changes:
            other = ", ".join(f"{name}={value!r}" for name, value in changes.items())
            raise ValueError(f"the model in {self.from_pretrained} has parts of its own, so {other} can't be chosen")
        return pretrained_config(self.from_pretrained, **free)

    def train_config(self) -> TrainConfig:
        """The training's configuration: the recipe with its rate for the optimizer, then what was set here."""
        settings = {**self.chosen.training, **self._set_of(TrainConfig)}
        if "learning_rate" not in settings:
            optimizer = OPTIMIZERS.get(settings.get("optimizer", TrainConfig.optimizer), AdamW)
            rate = self.chosen.learning_rate(self.model_config(vocab_size=1).d_model)
            settings["learning_rate"] = rate * optimizer.relative_rate
        return TrainConfig(**settings)

    def with_steps(self, data: Dataset) -> Self:
        """With the recipe's epochs over ``data`` as a number of steps, where none is set."""
        epochs = self.chosen.epochs
        if self.steps is not None or epochs is None or not isinstance(data, DocumentDataset):
            return self
        return dataclasses.replace(self, steps=epochs * data.n_batches(self.train_config().batch_size))

    def to_json(self) -> str:
        """This configuration as a JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=1, default=str)

    @classmethod
    def read(cls, out: Path) -> Self:
        """The configuration that a run folder was started with.

        Raises:
            ValueError: if the folder holds no run, or its ``run.json`` can't be used.
        """
        path = out / "run.json"
        if not path.is_file():
            raise ValueError(f"{out} holds no run (there is no {path}); start one with `minigpt train --out {out}`")
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            paths = {name: Path(fields[name]) for name in ("text", "data", "out") if fields[name] is not None}
            return cls(**{**fields, **paths, "out": out})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{path} can't be used: {error}") from None

    def _set_of(self, part: type[GPTConfig] | type[TrainConfig]) -> dict[str, Any]:
        """The fields of the model's or the training's configuration that were set here."""
        names = [field.name for field in dataclasses.fields(part) if hasattr(self, field.name)]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass
class Run:
    """A model with the things that belong to it.

    Attributes:
        config: what to train, on what, and how.
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

    def train(self, *, resume: bool | str = False, progress: bool = True, loggers: Iterable[Logger] = ()) -> History:
        """Train the model and fill the run folder; with ``resume``, go on where the folder's run stopped.

        With ``resume="auto"`` it goes on if there is something to go on from.

        Raises:
            ValueError: if the configuration differs from that of the run to be resumed, or can't be used.
        """
        out, is_main = self.config.out, is_main_process()
        if goes_on := resumes(out, resume):
            check_same_run(json.loads(RunConfig.read(out).to_json()), json.loads(self.config.to_json()))
        open_run_folder(out, resume=goes_on, writes=is_main)
        if is_main:
            write_atomically(out / "run.json", self.config.to_json().encode())
        self.history = train(
            self.model,
            self.data,
            self.config.train_config(),
            validation=self.validation,
            tokenizer=self.tokenizer,
            out=out,
            resume=resume,
            progress=progress,
            loggers=[*loggers, *([TensorBoardLogger(out)] if self.config.tensorboard and is_main else [])],
        )
        return self.history


def prepare_run(config: RunConfig) -> Run:
    """Read the text, make the tokenizer, the splits and the model, untrained or pretrained.

    Args:
        config: what to train, on what, and how.

    Raises:
        ValueError: if the text, the tokenizer or a setting can't be used.
    """
    config.train_config()  # a wrong setting should be heard of before a long text is read
    context_length = config.context_length or config.model_config(vocab_size=1).context_length
    tokenizer, data, validation = open_splits(config, context_length)
    model = first_model(config, config.model_config(tokenizer.vocab_size))
    return Run(config.with_steps(data), model, tokenizer, data, validation)


def first_model(config: RunConfig, shape: GPTConfig) -> GPT:
    """The model before its first update, untrained or pretrained."""
    if config.from_pretrained is not None:
        return load_pretrained(config.from_pretrained, dropout=shape.dropout, attention=shape.attention)
    return GPT(shape, generator=torch.Generator().manual_seed(config.seed))


def start_run(config: RunConfig, *, resume: bool | str = False, progress: bool = True) -> Run:
    """:func:`prepare_run`, then :meth:`Run.train`: from a text to a trained model in one call.

    Args:
        config: what to train, on what, and how.
        resume: go on where the folder's run stopped; "auto": if there is one.
        progress: print a line at each evaluation, and show a bar where there is a terminal.

    Raises:
        ValueError: as those two.
    """
    run = prepare_run(config)
    run.train(resume=resume, progress=progress)
    return run


def load_model(out: Path | str) -> tuple[GPT, Tokenizer]:
    """The trained model and the tokenizer of a run folder, from its newest whole checkpoint; on the CPU.

    Args:
        out: the run folder.

    Raises:
        ValueError: if there is no such checkpoint, or it was saved without a tokenizer.
    """
    checkpoint = load_checkpoint(Path(out) / "checkpoints")
    if checkpoint.state["tokenizer"] is None:
        raise ValueError(f"the run in {out} was saved without its tokenizer; pass tokenizer=… to minigpt.train")
    return model_from(checkpoint), load_tokenizer(checkpoint.state["tokenizer"])
