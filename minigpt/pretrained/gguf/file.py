"""A GGUF file, mapped into memory: its fields, and its tensors as float32.

The package ``gguf`` knows how each type of quantized numbers is packed: blocks of whole numbers with a scale, for most
types, and an offset. The head of the file is read here, since a damaged one takes that package any time and memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minigpt.files.plain import open_plain, size_of
from minigpt.pretrained.gguf.header import Header, TensorEntry, read_header

INSTALL = "pip install --no-deps gguf pyyaml"


class GGUFFile:
    """An open file; use it in ``with`` :func:`open_gguf`.

    Args:
        data: all of it.
        header: of these bytes.
    """

    def __init__(self, data: memoryview, header: Header) -> None:
        self.data, self.fields, self.entries = data, header.fields, header.tensors
        self._check_places()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, whose numbers are not read."""
        return self.entries[name].shape

    def tensor(self, name: str) -> Tensor:
        """A tensor as float32, on the CPU, in memory of its own.

        Raises:
            ValueError: if its type is one that the package can't turn into float32.
        """
        entry, package = self.entries[name], gguf_package()
        raw = np.frombuffer(self.data[entry.start : entry.start + _size(entry)], np.uint8)
        kind = package.GGMLQuantizationType(entry.kind)
        try:
            with np.errstate(all="ignore"):  # what overflows is refused by its name, later
                numbers = package.quants.dequantize(raw.reshape(*entry.shape[:-1], -1), kind)
        except NotImplementedError:
            raise ValueError(f"the tensor {name} has type {kind.name}, which can't be turned into float32") from None
        return torch.from_numpy(np.array(numbers, dtype=np.float32).reshape(entry.shape))

    def _check_places(self) -> None:
        """Every tensor is in the file and has its bytes for itself, so that a small file can't hold a large model."""
        end, last = 0, ""
        for entry in sorted(self.entries.values(), key=lambda entry: entry.start):
            size = _size(entry)
            if entry.start < end:
                raise ValueError(f"the tensors {last[:100]} and {entry.name[:100]} overlap; get it again")
            end, last = entry.start + size, entry.name
            if end > len(self.data):
                raise ValueError(f"it ends within the tensor {entry.name[:100]}; get it again")


def _size(entry: TensorEntry) -> int:
    """The bytes of a tensor."""
    package = gguf_package()
    try:
        kind = package.GGMLQuantizationType(entry.kind)
    except ValueError:
        raise ValueError(f"the tensor {entry.name[:100]} has a type of number {entry.kind}, which is unknown") from None
    in_block, bytes_of_block = package.GGML_QUANT_SIZES[kind]
    if 0 in entry.shape or entry.shape[-1] % in_block:
        raise ValueError(
            f"the tensor {entry.name[:100]} has shape {entry.shape}; type {kind.name} has rows of blocks of {in_block}"
        )
    return prod(entry.shape) // in_block * bytes_of_block


@contextmanager
def open_gguf(path: Path) -> Iterator[GGUFFile]:
    """A GGUF file, mapped into memory while the context lasts.

    Args:
        path: a plain file.

    Raises:
        ValueError: if it can't be read, is damaged, or what is done in the context refuses it; the file is named.
        ImportError: if the package ``gguf`` is not installed; it says how to install it.
    """
    gguf_package()
    try:
        with open_plain(path, "it") as file:
            if not size_of(file):
                raise ValueError("it is empty")
            mapped: Any = np.memmap(file, np.uint8, "r")
            data = memoryview(mapped)
            yield GGUFFile(data, read_header(data))
    except ValueError as error:
        raise ValueError(f"{path} can't be used: {error}") from None


def gguf_package() -> Any:
    """The package ``gguf``.

    Raises:
        ImportError: if it is not installed, saying how to install it.
    """
    try:
        import gguf
    except ImportError as error:
        raise ImportError(f"a GGUF file is read with the package gguf ({error}): {INSTALL}") from None
    return gguf
