"""A GGUF file, opened once: its model and its tokenizer."""

from pathlib import Path

import torch

from minigpt.files.paths import as_path
from minigpt.model import GPT
from minigpt.pretrained.gguf.file import open_gguf
from minigpt.pretrained.gguf.model import config_of_file, model_in
from minigpt.pretrained.gguf.tokenizer import tokenizer_in
from minigpt.text import Tokenizer


def load_gguf(
    path: Path | str, *, dtype: torch.dtype = torch.float32, dropout: float = 0.0, attention: str = "auto"
) -> tuple[GPT, Tokenizer]:
    """The model and the tokenizer in a GGUF file.

    Args:
        path: the file.
        dtype: of the model, whatever the types in the file.
        dropout: share of activations dropped in training; a file says nothing about it.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.

    Raises:
        ValueError: as :func:`minigpt.pretrained.gguf.gguf_model` and :func:`minigpt.pretrained.gguf.gguf_tokenizer`.
    """
    with open_gguf(as_path(path, "path")) as file:
        tokenizer = tokenizer_in(file.fields)
        config = config_of_file(file, dropout=dropout, attention=attention)
        if tokenizer.vocab_size > config.vocab_size:
            raise ValueError(f"its tokenizer has {tokenizer.vocab_size} tokens and its model {config.vocab_size}")
        return model_in(file, config, dtype), tokenizer
