"""The command that puts a loss beside its baselines: `minigpt ladder`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import minigpt as mg
from minigpt.runs import RunConfig, open_splits
from minigpt.text import Dataset, Tokenizer
from minigpt.text.tinyworld import task_rows

STORIES = 700  # that a storyteller is measured on; the baselines have counted nine times as many


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Compare with baselines that anyone can build: a uniform guess, n-gram models, gzip and xz.

    Attributes:
        text: a UTF-8 text file or a folder of them.
        corpus: a corpus by name, used where no text is given.
        tokenizer: "char", "bpe:1024" (trained here), "gpt2", or a saved tokenizer's file.
        validation_fraction: the share of the text, at its end, that is predicted.
        run: the run folder of a GPT to compare; its text, tokenizer and split are used.
        out: the picture; without it, ladder.png, in the run folder if there is one.
    """

    text: Path | None = None
    corpus: str = "python-docs"
    tokenizer: str = "char"
    validation_fraction: float = 0.1
    run: Path | None = None
    out: Path | None = None

    def __call__(self) -> None:
        """Print a table and draw it."""
        ladder = self._of_text() if self.run is None else self._of_run(self.run)
        print(ladder)
        out = self.out or (self.run or Path()) / "ladder.png"
        try:
            ladder.plot().savefig(out)
            print(f"picture: {out}")
        except ImportError as error:
            print(f"picture: {error}")

    def _of_text(self) -> mg.Ladder:
        names = ("text", "corpus", "tokenizer", "validation_fraction")
        config = RunConfig(**{name: getattr(self, name) for name in names})
        tokenizer, data, validation = open_splits(config, 2)
        return mg.ladder(_ids(data), _ids(validation), tokenizer, floor=validation.floor)

    def _of_run(self, run: Path) -> mg.Ladder:
        (model, tokenizer), config = mg.load_model(run), RunConfig.read(run)
        if config.task == "story":
            return _of_storyteller(model, tokenizer, config)
        _, data, validation = open_splits(config, 2, tokenizer)
        return mg.ladder(_ids(data), _ids(validation), tokenizer, model=model, floor=validation.floor)


def _ids(data: Dataset) -> np.ndarray:
    if not isinstance(data, mg.TokenDataset):
        raise ValueError(f"the ladder is for one long text, and the run reads {data}; give the text with --text")
    return np.concatenate([shard.tokens for shard in data.shards])


def _of_storyteller(model: mg.GPT, tokenizer: Tokenizer, config: RunConfig) -> mg.Ladder:
    """The same stories for all: one after another for the baselines, each by itself for the model."""
    held_out = mg.TinyWorld(config.language, split="validation")
    learnt, told = (
        np.array(tokenizer.encode("\n" + world.text(n)))
        for world, n in ((mg.TinyWorld(config.language), 9 * STORIES), (held_out, STORIES))
    )
    rows = task_rows("story", held_out, tokenizer, model.config.context_length, STORIES)
    return mg.ladder(learnt, told, tokenizer, model=model, rows=rows, floor=rows.floor)
