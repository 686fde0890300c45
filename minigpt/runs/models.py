"""A trained model: opened, whether it is in a run, a checkpoint or a folder of Hugging Face; and exported."""

from pathlib import Path

import torch

from minigpt.files.paths import as_path
from minigpt.model import GPT
from minigpt.pretrained import FORMATS, format_of, load_pretrained, pretrained_model, save_pretrained
from minigpt.pretrained.finite import cast_weights
from minigpt.pretrained.gguf import gguf_model
from minigpt.pretrained.gguf.writing import architecture_of
from minigpt.pretrained.sources import check_spelling, is_pretrained
from minigpt.pretrained.writing import is_gguf
from minigpt.runs.run import load_model
from minigpt.runs.summary import RunSummary
from minigpt.settings import check_choice, counted
from minigpt.text import Tokenizer, load_tokenizer
from minigpt.training.run_state import model_from
from minigpt.training.storage.checkpoint import MANIFEST
from minigpt.training.storage.loading import one_checkpoint
from minigpt.version import __version__

EXPORT_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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


def export_model(out: Path | str, folder: Path | str, *, tokenizer: bool = True, dtype: str = "float32") -> str:
    """Write a run's newest model, or one that others trained, so that Hugging Face's libraries or llama.cpp read it.

    Args:
        out: the run folder, whose figures become a model card; or what :func:`minigpt.load_pretrained` reads, without
            a card.
        folder: made if need be, or a file ``….gguf``; see :func:`minigpt.save_pretrained`.
        tokenizer: whether the tokenizer goes with it; a GGUF file takes byte-level BPE alone.
        dtype: of the weights: "float32", "bfloat16" or "float16".

    Returns:
        The name of the format that was written, such as "Llama" or "GGUF, architecture llama".

    Raises:
        ValueError: as :func:`minigpt.load_model`, :func:`minigpt.load_pretrained` and :func:`minigpt.save_pretrained`;
            or naming a weight that holds a number beyond the largest of ``dtype``.
        OSError: as :func:`minigpt.save_pretrained`.
    """
    out, folder = as_path(out, "out"), as_path(folder, "folder")
    check_choice("dtype", dtype, EXPORT_DTYPES)
    check_spelling(out)
    theirs = is_pretrained(out)
    model, words = _with_tokenizer(out) if tokenizer or not (theirs and out.exists()) else (_without(out), None)
    kind = "gguf" if is_gguf(folder) else format_of(model.config)
    card = None if theirs else model_card(RunSummary.of(out), kind, folder.name if kind == "gguf" else "FOLDER")
    save_pretrained(cast_weights(model, EXPORT_DTYPES[dtype]), folder, words if tokenizer else None, card=card)
    return f"GGUF, architecture {architecture_of(model.config).name}" if kind == "gguf" else _title(kind)


def model_card(summary: RunSummary, kind: str, name: str = "FOLDER") -> str:
    """The text of a model card: what the model is, what it read, and its losses.

    Args:
        summary: of the run.
        kind: the format that is written, as :func:`minigpt.pretrained.format_of` names it, or "gguf".
        name: of the file, where the format is "gguf".
    """
    model, training = summary.config.model, summary.config.training
    losses = {"training loss": summary.loss, "validation loss": summary.validation_loss}
    rows = {
        "parameters": f"{summary.n_parameters:,}",
        "layers × width, heads": f"{model.n_layers} × {model.d_model}, {model.n_heads}",
        "context": f"{model.context_length:,} tokens",
        "vocabulary": f"{model.vocab_size:,} tokens",
        "trained on": f"`{Path(summary.text).name}`",  # without the folders of this machine
        "steps": f"{summary.steps_done:,} of {counted(training.steps, 'step')}, {training.batch_size} sequences each",
        "optimizer": f"{training.optimizer}",
        "random seed": f"{training.seed}",
        **{name: "not measured" if loss is None else f"{loss:.4f} nats per token" for name, loss in losses.items()},
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    where = f'".", gguf_file="{name}"' if kind == "gguf" else f'"{name}"'
    head = "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- minigpt\n---\n\n"
    card = (
        f"{head}# {summary.config.out.name or 'model'}\n\n"
        f"A language model trained by minigpt {__version__}, in the format of {_title(kind)}.\n\n"
        f"| | |\n|---|---|\n{table}\n\n```python\nfrom transformers import AutoModelForCausalLM\n\n"
        f"model = AutoModelForCausalLM.from_pretrained({where})\n```\n"
    )
    return card.encode(errors="replace").decode()  # a file name may hold bytes that are not UTF-8


def _with_tokenizer(out: Path) -> tuple[GPT, Tokenizer]:
    return load_pretrained(out) if is_pretrained(out) else load_model(out)


def _without(out: Path) -> GPT:
    """A model that others trained, which need not have a tokenizer that can be read."""
    return gguf_model(out) if is_gguf(out) else pretrained_model(out)


def _title(kind: str) -> str:
    return "GGUF" if kind == "gguf" else FORMATS[kind].title
