"""The command that puts a loss beside its baselines: `minigpt ladder`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

import minigpt as mg
from minigpt.cli.output import print_json, save_picture
from minigpt.runs import RunConfig, Source, open_splits
from minigpt.runs.read_files import check_unchanged
from minigpt.text import Dataset, Tokenizer
from minigpt.text.tinyworld import task_rows

SOURCE_FIELDS = (  # fields of the source with a meaning here
    "text",
    "glob",
    "special_tokens",
    "corpus",
    "data",
    "tokenizer",
    "validation_fraction",
)
STORIES = 700  # that a storyteller is measured on; the baselines have counted nine times as many


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Compare with baselines that anyone can build: a uniform guess, n-gram models, gzip and xz.

    Attributes:
        text: UTF-8 text file, or a folder of them.
        glob: pattern of the files that are read of a folder, such as "*.py" (default: those ending in .txt, .text, .md
            or .rst).
        special_tokens: read the text "<|endoftext|>" as the token of that name, as in files that hold many documents.
        corpus: corpus by name, where no text is given: python-docs, tiny-world or shakespeare.
        data: folder that `minigpt prepare` made, in place of a text.
        tokenizer: tokenizer: char, bpe:1024, gpt2, or a saved tokenizer's file.
        validation_fraction: share of the text, at its end, that all are measured on.
        run: run folder of a GPT to compare, in place of a text: its own text, tokenizer and split are used.
        out: file of the picture (default: ladder.png, in the run folder if there is one).
        json: print the figures as JSON, and nothing else.
    """

    text: Path | None = None
    glob: Annotated[str | None, tyro.conf.arg(help_behavior_hint="")] = None
    special_tokens: bool = False
    corpus: str = Source.corpus
    data: Path | None = None
    tokenizer: str = "char"
    validation_fraction: float = Source.validation_fraction
    run: Path | None = None
    out: Path | None = None
    json: bool = False

    def __call__(self) -> None:
        """Print a table and draw it."""
        ladder = self._of_text() if self.run is None else self._of_run(self.run)
        if self.json:
            print_json(ladder.to_object())
            return
        print(ladder)
        out = self.out or (self.run or Path()) / "ladder.png"
        print(f"picture: {save_picture(ladder.plot, out, kept='the table is complete')}")

    def _of_text(self) -> mg.Ladder:
        source = Source(**{name: getattr(self, name) for name in SOURCE_FIELDS})
        tokenizer, data, validation = open_splits(_pairs(RunConfig(source=source)))
        return mg.ladder(_ids(data), _ids(validation), tokenizer, floor=validation.floor)

    def _of_run(self, run: Path) -> mg.Ladder:
        if given := [name for name in SOURCE_FIELDS if getattr(self, name) != getattr(Ladder, name)]:
            raise ValueError(
                f"--run compares on the run's own text, so --{given[0].replace('_', '-')} can't be given with it; "
                f"`minigpt eval {run} --text …` measures the model on another text"
            )
        (model, tokenizer), config = mg.load_model(run), RunConfig.read(run)
        if config.source.task == "story":
            return _of_storyteller(model, tokenizer, config)
        _, data, validation = open_splits(_pairs(config), tokenizer)
        learnt, told = _ids(data), _ids(validation)
        check_unchanged(run, config.source, data, validation)
        return mg.ladder(learnt, told, tokenizer, model=model, floor=validation.floor)


def _pairs(config: RunConfig) -> RunConfig:
    """The same in windows of two tokens, so that the shortest text will do: the ladder takes the ids as a whole."""
    return config.changed(context_length=2)


def _ids(data: Dataset) -> np.ndarray:
    if not isinstance(data, mg.TokenDataset):
        raise ValueError(f"the ladder is for one long text, and the run reads {data}; give the text with --text")
    return np.concatenate([shard.tokens for shard in data.shards])


def _of_storyteller(model: mg.GPT, tokenizer: Tokenizer, config: RunConfig) -> mg.Ladder:
    """The same stories for all: one after another for the baselines, each by itself for the model."""
    held_out = mg.TinyWorld(config.source.language, split="validation")
    learnt, told = (
        np.array(tokenizer.encode("\n" + world.text(n)))
        for world, n in ((mg.TinyWorld(config.source.language), 9 * STORIES), (held_out, STORIES))
    )
    rows = task_rows("story", held_out, tokenizer, model.config.context_length, STORIES)
    return mg.ladder(learnt, told, tokenizer, model=model, rows=rows, floor=rows.floor)
