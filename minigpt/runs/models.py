"""A trained model: opened, whether it is in a run, a checkpoint or a folder of Hugging Face; and exported."""

from pathlib import Path

from minigpt.files.paths import as_path
from minigpt.model import GPT
from minigpt.pretrained import FORMATS, format_of, load_pretrained, save_pretrained
from minigpt.runs.run import load_model
from minigpt.runs.summary import RunSummary
from minigpt.settings import counted
from minigpt.text import Tokenizer, load_tokenizer
from minigpt.training.run_state import model_from
from minigpt.training.storage.checkpoint import MANIFEST
from minigpt.training.storage.loading import one_checkpoint
from minigpt.version import __version__


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


def export_run(out: Path | str, folder: Path | str, *, tokenizer: bool = True) -> str:
    """Write the newest model of a run so that Hugging Face's libraries read it.

    Args:
        out: the run folder.
        folder: made if need be; see :func:`minigpt.save_pretrained`.
        tokenizer: whether the run's tokenizer goes with it, which has to be byte-level BPE.

    Returns:
        The format that was written, such as "llama".

    Raises:
        ValueError: as :func:`minigpt.load_model` and :func:`minigpt.save_pretrained`.
    """
    out, folder = as_path(out, "out"), as_path(folder, "folder")
    model, words = load_model(out)
    kind = format_of(model.config)
    save_pretrained(model, folder, words if tokenizer else None, card=model_card(RunSummary.of(out), kind))
    return kind


def model_card(summary: RunSummary, kind: str) -> str:
    """The text of a model card: what the model is, what it read, and its losses.

    Args:
        summary: of the run.
        kind: the format of the folder.
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
    head = "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- minigpt\n---\n\n"
    return (
        f"{head}# {summary.config.out.name or 'model'}\n\n"
        f"A language model trained by minigpt {__version__}, in the format of {FORMATS[kind].title}.\n\n"
        f"| | |\n|---|---|\n{table}\n\n```python\nfrom transformers import AutoModelForCausalLM\n\n"
        'model = AutoModelForCausalLM.from_pretrained("FOLDER")\n```\n'
    )
