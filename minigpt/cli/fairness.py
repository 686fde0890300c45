"""The command `minigpt fairness`: what a swapped name changes in a model's probabilities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

import minigpt as mg
from minigpt.cli.output import print_json
from minigpt.runs.models import open_model


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """Swap one attribute of a sentence, a name or an age, and measure how the probability of its end changes.

    The table says what A and B are, and the pairs have limits, which are printed too: a gap of 0 does not mean that a
    model is fair. Pairs that are longer than the model's context are skipped and counted.

    Attributes:
        out: a run folder, a checkpoint in it, or a folder of Hugging Face with a model and its tokenizer.
        lang: language of the sentences that come with the library.
        pairs: a JSON file with templates of your own.
        json: print the figures as JSON, and nothing else.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_OR_FOLDER")]
    lang: Literal["en", "zh"] = "en"
    pairs: Path | None = None
    json: bool = False

    def __call__(self) -> None:
        """Print what was asked, and the gaps."""
        asked = mg.fairness.load_pairs(self.lang) if self.pairs is None else mg.fairness.read_pairs(self.pairs)
        model, tokenizer = open_model(self.out)
        report = mg.fairness.counterfactual_gaps(model, tokenizer, asked)
        if self.json:
            about = {"limits": list(asked.limits), "meanings": dict(asked.meanings), "skipped": report.n_skipped}
            print_json(about | {"groups": report.to_object()})
            return
        print(asked)
        print()
        print(report)
