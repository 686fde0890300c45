"""`minigpt diverge`: where two models part that should compute the same."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from minigpt.cli.output import print_json
from minigpt.microscope import first_divergence
from minigpt.model import GPT
from minigpt.runs.models import open_model
from minigpt.text import Tokenizer

N_DRAWN = 64  # of the ids that are drawn


@dataclass(frozen=True, kw_only=True)
class Diverge:
    """Compare two models module by module, and name the first in which they part beyond rounding.

    A model is a run folder, one checkpoint of a run, or a folder in the format of Hugging Face. The exit status is 1 if
    the models part.

    Attributes:
        a: first model.
        b: second model.
        text: what both read (default: 64 token ids drawn at random, the same for both).
        dtype: what both compute in; float64 shows what float32 hides behind its rounding.
        json: print the figures as JSON, and nothing else.
    """

    a: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="A")]
    b: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="B")]
    text: str = ""
    dtype: Literal["float32", "float64"] = "float32"
    json: bool = False

    def __call__(self) -> None:
        """Print the place and the numbers around it."""
        (a, tokenizer), (b, other) = open_model(self.a), open_model(self.b)
        if not self.text and (note := tokenizers_note(tokenizer, other)):
            print(note, file=sys.stderr if self.json else sys.stdout)
        ids = self._ids(tokenizer, other) if self.text else drawn_ids(a, b)
        dtype = getattr(torch, self.dtype)
        found = first_divergence(a.to(dtype), b.to(dtype), torch.tensor([ids[: _room(a, b)]]))
        print_json(found.to_object()) if self.json else print(found)
        if found:
            sys.exit(1)

    def _ids(self, tokenizer: Tokenizer, other: Tokenizer) -> list[int]:
        ids = tokenizer.encode(self.text)
        if other.encode(self.text) != ids:
            raise ValueError(
                f"the tokenizers of {self.a} and {self.b} give different ids for this text; without --text both models "
                "get the same random ids"
            )
        return ids


def tokenizers_note(a: Tokenizer, b: Tokenizer) -> str:
    """What random ids do not compare where two tokenizers differ; "" where each id is the same token.

    Args:
        a: tokenizer of the first model.
        b: that of the second.
    """
    sizes = a.vocab_size, b.vocab_size
    if sizes[0] != sizes[1]:
        differ = f"differ, with {sizes[0]:,} and {sizes[1]:,} tokens"
    elif any(a.token_bytes(i) != b.token_bytes(i) for i in range(a.vocab_size)):
        differ = "differ"
    else:
        return ""
    return f"the tokenizers {differ}: only the weights are compared, with random ids that mean other text to each model"


def drawn_ids(a: GPT, b: GPT) -> list[int]:
    """Random ids that both models know."""
    most = min(a.config.vocab_size, b.config.vocab_size)
    return torch.randint(most, (N_DRAWN,), generator=torch.Generator().manual_seed(0)).tolist()


def _room(a: GPT, b: GPT) -> int:
    return min(a.config.context_length, b.config.context_length)
