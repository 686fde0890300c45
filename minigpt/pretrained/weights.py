"""The tensors of a folder: in ``model.safetensors``, or in several files with an index that says which holds what."""

from dataclasses import dataclass
from pathlib import Path

import safetensors
from torch import Tensor

from minigpt.files.json_object import read_object
from minigpt.files.plain import plain_size

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CONFIG_LIMIT = 2**24  # bytes of a config.json or of an index


@dataclass(frozen=True)
class StoredTensor:
    """One tensor on disk.

    Attributes:
        name: as the file writes it.
        file: which file holds it.
    """

    name: str
    file: Path

    def shape_and_type(self) -> tuple[tuple[int, ...], str]:
        """Its shape, and the name that the format has for its type, such as "F32"; its numbers are not read."""
        with safetensors.safe_open(self.file, framework="pt") as opened:
            part = opened.get_slice(self.name)
            return tuple(part.get_shape()), str(part.get_dtype())

    def read(self) -> Tensor:
        """The tensor, on the CPU, in the type of the file."""
        with safetensors.safe_open(self.file, framework="pt") as opened:
            return opened.get_tensor(self.name)


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Every tensor of a folder; none is read yet.

    Raises:
        ValueError: if there are no safetensors, a file of the index is missing or damaged, or holds other tensors than
            the index says.
    """
    if (folder / WEIGHTS).is_file():
        return _tensors_in(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        raise ValueError(_no_weights(folder))
    index = _read_index(folder / INDEX)
    found = [tensor for file in sorted(set(index.values())) for tensor in _tensors_in(folder / file)]
    places = sorted((tensor.name, tensor.file.name) for tensor in found)
    if wrong := sorted(set(places) ^ set(index.items())):
        name, file = wrong[0]
        what = (
            f"says that {file} holds {name}, which it does not"
            if wrong[0] in index.items()
            else (f"does not say that {file} holds {name}")
        )
        raise ValueError(f"{folder / INDEX} {what} ({len(wrong)} such in all); get the folder again")
    return found


def _tensors_in(file: Path) -> list[StoredTensor]:
    plain_size(file, str(file))  # a pipe would block its reader forever
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            return [StoredTensor(name, file) for name in opened.keys()]  # noqa: SIM118 (no dict: it has no __iter__)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{file} can't be read as safetensors: {error}; get it again") from None


def _read_index(path: Path) -> dict[str, str]:
    index = read_object(path, limit=CONFIG_LIMIT).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(file, str) for file in index.values()):
        raise ValueError(f"{path} has no weight_map from tensors to files; get the folder again")
    if outside := sorted(file for file in index.values() if Path(file).name != file):
        raise ValueError(f"{path} names {outside[0]!r}; a file of the same folder is expected")
    return index


def _no_weights(folder: Path) -> str:
    if pickles := sorted(folder.glob("pytorch_model*.bin")):
        return (
            f"{pickles[0]} is a pickle, and to read a pickle is to run whatever program hides in it. If you trust it, "
            'convert it once: python -c "from transformers import GPT2LMHeadModel as M; '
            f"M.from_pretrained('{folder}').save_pretrained('{folder}-safetensors')\" and give that folder"
        )
    return f"{folder} has no {WEIGHTS} and no {INDEX}; give a folder that holds a GPT-2"
