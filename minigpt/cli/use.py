"""Commands that use a trained model: `minigpt sample`, `minigpt eval` and `minigpt ladder`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

import minigpt as mg
from minigpt.text import Dataset
from minigpt.text.shards import Shard
from minigpt.train import RunConfig, open_splits

RunFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Let a trained model write.

    Attributes:
        out: the run folder that `minigpt train` filled.
        prompt: what the text begins with.
        max_new_tokens: the most tokens to add.
        temperature: 0 for greedy, below 1 for safer text, above 1 for bolder text.
        top_k: draw from this many most probable tokens.
        top_p: draw from the smallest set of tokens of this probability.
        stop: strings before which the text ends.
        seed: chooses one of the possible texts.
    """

    out: RunFolder
    prompt: str = "\n"
    max_new_tokens: int = 300
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __call__(self) -> None:
        """Print the prompt and its continuation, piece by piece."""
        model, tokenizer = mg.load_model(self.out)
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[2:]}
        pieces = mg.stream(model, tokenizer, self.prompt, **options)
        print(self.prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()


@dataclass(frozen=True, kw_only=True)
class Eval:
    """Measure a trained model on a whole text: nats per token, perplexity, bits per byte.

    Attributes:
        out: the run folder that `minigpt train` filled.
        text: a UTF-8 text file or a folder of them; without it, the run's own validation split.
    """

    out: RunFolder
    text: Path | None = None

    def __call__(self) -> None:
        """Print the figures."""
        model, tokenizer = mg.load_model(self.out)
        if self.text is None:
            config = RunConfig.read(self.out)
            _, _, data = open_splits(config, config.context_length or model.config.context_length, tokenizer)
        else:
            data = mg.TokenDataset.from_text(mg.read_text(self.text), tokenizer, model.config.context_length)
        print(mg.evaluate(model, data, tokenizer))


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
        model, tokenizer = (None, None) if self.run is None else mg.load_model(self.run)
        names = ("text", "corpus", "tokenizer", "validation_fraction")
        config = RunConfig(**{name: getattr(self, name) for name in names})
        config = config if self.run is None else RunConfig.read(self.run)
        tokenizer, *splits = open_splits(config, 2, tokenizer)
        train_ids, validation_ids = (np.concatenate([shard.tokens for shard in _shards(data)]) for data in splits)
        ladder = mg.ladder(train_ids, validation_ids, tokenizer, model=model)
        print(ladder)
        out = self.out or (self.run or Path()) / "ladder.png"
        try:
            ladder.plot().savefig(out)
            print(f"picture: {out}")
        except ImportError as error:
            print(f"picture: {error}")


def _shards(data: Dataset) -> list[Shard]:
    if not isinstance(data, mg.TokenDataset):
        raise ValueError(f"the ladder is for one long text, and the run reads {data}; give the text with --text")
    return data.shards
