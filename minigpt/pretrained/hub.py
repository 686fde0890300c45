"""A folder in the format of Hugging Face to the hub; needs the package huggingface_hub."""

from pathlib import Path
from typing import Any

from minigpt.files.paths import as_path
from minigpt.pretrained.folder import pretrained_config


def push_to_hub(
    folder: Path | str, repository: str, *, private: bool = True, message: str = "Upload model", api: Any = None
) -> str:
    """Upload what :func:`minigpt.save_pretrained` wrote.

    Args:
        folder: in the format of Hugging Face; only its own files are uploaded, no folders in it.
        repository: "owner/name", made if need be.
        private: whether a repository that is made is private.
        message: of the commit.
        api: what uploads, with the methods of ``huggingface_hub.HfApi``; ``None`` makes one, which takes the token of
            ``hf auth login``.

    Returns:
        The address of the repository.

    Raises:
        ValueError: if the folder holds no model that can be loaded, the name is not "owner/name", or huggingface_hub
            is not installed.
    """
    folder = as_path(folder, "folder")
    owner, _, name = repository.partition("/")
    if not owner or not name or "/" in name:
        raise ValueError(f"repository={repository!r} must be 'owner/name', such as 'me/tiny-llama'")
    pretrained_config(folder)
    api = _new_api() if api is None else api
    address = str(api.create_repo(repository, private=private, exist_ok=True, repo_type="model"))
    api.upload_folder(
        repo_id=repository,
        folder_path=str(folder),
        commit_message=message,
        allow_patterns=["*.json", "*.safetensors", "*.txt", "README.md"],
        ignore_patterns=["*/*"],
    )
    return address


def _new_api() -> Any:
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ValueError(f"push_to_hub needs huggingface_hub ({error}): pip install huggingface_hub") from None
    return HfApi()
