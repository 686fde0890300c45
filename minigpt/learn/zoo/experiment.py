"""A healthy run and a sick one of a tiny GPT on the tiny world, which differ in one bug."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from minigpt.files.atomic import write_atomically
from minigpt.files.paths import as_path
from minigpt.learn.zoo.bug import Bug, Specimen
from minigpt.learn.zoo.catalogue import BUGS
from minigpt.model import GPT
from minigpt.plots import BLUE, ORANGE, new_figure, smooth
from minigpt.runs import RunConfig
from minigpt.runs.config import RUN_FILE
from minigpt.settings import check_choice
from minigpt.text import CharTokenizer, TinyWorld, TokenDataset
from minigpt.training.processes.generators import seeded_generators
from minigpt.training.report.history import History
from minigpt.training.run_state import RunState
from minigpt.training.step import evaluated_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 0.14  # nats per character of the tiny world's validation stories; computing it takes some seconds
MANY, FEW = (100, 15), (5, 5)  # stories to train on and to validate with

#: What all runs of the zoo have in common: fields of the source, the model and the training.
SETTINGS: Mapping[str, Any] = {
    "corpus": "tiny-world",
    "tokenizer": "char",
    "n_layers": 1,
    "d_model": 32,
    "n_heads": 2,
    "context_length": 32,
    "dropout": 0.0,
    "steps": 120,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "warmup_steps": 15,
    "eval_every": 12,
    "device": "cpu",
}


@dataclass(frozen=True)
class BugRuns:
    """What a bug does.

    Attributes:
        bug: the bug.
        healthy: the run without it, trained.
        sick: the run with it, trained.
    """

    bug: Bug
    healthy: Specimen
    sick: Specimen

    def __str__(self) -> str:
        healthy, sick = (self.bug.signature(each) for each in (self.healthy, self.sick))
        return f"{self.bug.name}: {self.bug.says_signature}: {healthy:.3g} without the bug, {sick:.3g} with it"

    def plot(self) -> "Figure":
        """The losses of both runs against the steps, as a matplotlib figure.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        for history, colour, word in ((self.healthy.history, BLUE, "healthy"), (self.sick.history, ORANGE, "sick")):
            steps, losses = history.column("loss")
            axes.plot(steps, smooth(losses), color=colour, label=f"{word}: training")
            steps, losses = history.column("validation_loss")
            axes.plot(steps, losses, "o--", color=colour, markersize=4, linewidth=0.8, label=f"{word}: validation")
        axes.set(xlabel="step", ylabel="loss (nats per token)", title=self.bug.name, ylim=(0, None))
        axes.legend(frameon=False)
        return figure


def run(name: str, seed: int = 0, out: Path | str | None = None) -> BugRuns:
    """Train without and with a bug, in a few seconds.

    Args:
        name: of the bug, a key of ``BUGS``.
        seed: of the weights, the stories and the order of the data.
        out: folder for two run folders, ``healthy`` and ``sick``, that ``minigpt doctor`` reads; ``None`` for none.

    Raises:
        ValueError: if there is no such bug.
    """
    check_choice("name", name, BUGS)
    bug, folder = BUGS[name], None if out is None else as_path(out, "out")
    healthy = grow(bug, seed=seed, sick=False, out=None if folder is None else folder / "healthy")
    return BugRuns(bug, healthy, grow(bug, seed=seed, sick=True, out=None if folder is None else folder / "sick"))


def grow(bug: Bug, *, seed: int = 0, sick: bool, out: Path | None = None) -> Specimen:
    """Train one specimen.

    Args:
        bug: whose settings it has.
        seed: of the weights, the stories and the order of the data.
        sick: whether it has the bug.
        out: run folder; ``None`` for none.
    """
    data, validation, tokenizer = _splits(seed, *(FEW if bug.few_stories else MANY))
    settings = {**SETTINGS, **bug.settings, **(bug.sick_settings if sick else {}), "seed": seed}
    config = RunConfig.of(**settings).resolved(vocab_size=tokenizer.vocab_size)
    with seeded_generators([torch.device("cpu")], seed):
        model = GPT(config.model, generator=torch.Generator().manual_seed(seed))
        specimen = Specimen(RunState(model.train(), config.training, data, tokenizer), validation)
        if sick:
            bug.apply(specimen)
        specimen.history = _open_history(config, out)
        for step in range(config.training.steps):
            specimen.history.append(evaluated_step(specimen.run, step, specimen.validation))
    specimen.history.close()
    return specimen


@cache
def _splits(seed: int, n_training: int, n_validation: int) -> tuple[TokenDataset, TokenDataset, CharTokenizer]:
    worlds = TinyWorld(seed=seed), TinyWorld(seed=seed, split="validation")
    texts = [world.text(n) for world, n in zip(worlds, (n_training, n_validation), strict=True)]
    tokenizer = CharTokenizer.train(TinyWorld().text(MANY[0]) + "".join(texts))
    data, validation = (TokenDataset.from_text(text, tokenizer, SETTINGS["context_length"]) for text in texts)
    validation.floor = FLOOR
    return data, validation, tokenizer


def _open_history(config: RunConfig, out: Path | None) -> History:
    if out is None:
        return History(floor=FLOOR)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / RUN_FILE, dataclasses.replace(config, out=out).to_json().encode())
    return History(path=out / "log.jsonl", floor=FLOOR)
