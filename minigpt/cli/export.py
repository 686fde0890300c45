"""The command `minigpt export`: a trained model, for the libraries of others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minigpt.runs.models import export_model


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a trained model so that Hugging Face's libraries read it, or llama.cpp; a run's with a model card.

    Attributes:
        out: the run folder that `minigpt train` filled; or a model that others trained: "smollm2", a GGUF file, a
            folder of Hugging Face.
        folder: folder that is written; or a file FILE.gguf for llama.cpp, which has the card as its description.
        tokenizer: the model's tokenizer too: byte-level BPE or, in a folder, characters.
        dtype: type of the weights: "float32", "bfloat16" or "float16".
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|FILE.gguf")]
    tokenizer: bool = True
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def __call__(self) -> None:
        """Write the folder or the file, and say which format it has."""
        title = export_model(self.out, self.folder, tokenizer=self.tokenizer, dtype=self.dtype)
        print(f"wrote {self.folder} in the format of {title}")
