"""A trained model, wherever it is: the newest of a run, a certain checkpoint, or a folder of Hugging Face."""

from pathlib import Path

from minigpt.files.paths import as_path
from minigpt.model import GPT
from minigpt.pretrained import load_pretrained
from minigpt.runs.run import load_model
from minigpt.text import Tokenizer, load_tokenizer
from minigpt.training.run_state import model_from
from minigpt.training.storage.checkpoint import MANIFEST
from minigpt.training.storage.loading import one_checkpoint


def open_model(folder: Path | str) -> tuple[GPT, Tokenizer]:
    """The model and the tokenizer in a folder of any of the three kinds.

    Args:
        folder: a run folder, a checkpoint in it (``runs/mine/checkpoints/step-00000100``), or a folder in the format of
            Hugging Face.

    Returns:
        The model in evaluation mode, on the CPU, and its tokenizer.

    Raises:
        ValueError: as :func:`minigpt.load_model` and :func:`minigpt.load_pretrained`.
    """
    folder = as_path(folder, "folder")
    if (folder / MANIFEST).is_file():
        checkpoint = one_checkpoint(folder)
        if checkpoint.state["tokenizer"] is None:
            raise ValueError(f"{folder} was saved without its tokenizer; pass tokenizer=… to minigpt.train")
        return model_from(checkpoint), load_tokenizer(checkpoint.state["tokenizer"])
    if (folder / "config.json").is_file() and not (folder / "checkpoints").is_dir():
        return load_pretrained(folder)
    return load_model(folder)
