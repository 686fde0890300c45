"""The head of a GGUF file: typed fields by name, then the name, shape, type and place of every tensor.

Numbers are little-endian, and a text is its length and its bytes in UTF-8:

    "GGUF"  version  number of tensors  number of fields  fields  tensors  padding  data

The file may be damaged or forged, so that no length is believed: before anything is read, or room is made for it, what
is left of the file must be able to hold it.

Source: the specification of GGUF in ggml's repository, docs/gguf.md, versions 2 and 3.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

GGUF_MAGIC, GGUF_VERSIONS = b"GGUF", (2, 3)
MOST_ITEMS = 2**24  # of all arrays together; a vocabulary of 262,144 tokens has three of them
MOST_NAMED = 2**16  # fields, and tensors
MOST_AXES = 4

NUMBER_KINDS = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 10: "<u8", 11: "<i8", 12: "<f8"}
BOOL, STRING, ARRAY = 7, 8, 9


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor is, as the head of the file says.

    Attributes:
        name: as the file writes it.
        shape: of the tensor, the axis that varies slowest first; the file has the axes in the other order.
        kind: number of its type; see ``gguf.GGMLQuantizationType``.
        start: first byte, counted from the start of the file.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int


@dataclass(frozen=True)
class Header:
    """What precedes the numbers of a GGUF file.

    Attributes:
        fields: the value of every field by its name; an array of numbers is one of numpy, other arrays are lists.
        tensors: every tensor by its name, in the order of the file.
    """

    fields: dict[str, Any]
    tensors: dict[str, TensorEntry]


def read_header(data: memoryview) -> Header:
    """The head of a file that is mapped into memory.

    Args:
        data: the whole file.

    Raises:
        ValueError: if it is no GGUF file of a version that is read here, ends too early, or contradicts itself.
    """
    reader = _Reader(data)
    if reader.bytes(4) != GGUF_MAGIC:
        raise ValueError("it does not begin with the letters GGUF")
    version = reader.number("<u4")
    if version not in GGUF_VERSIONS:
        swapped = int.from_bytes(int(version).to_bytes(4, "little"), "big") in GGUF_VERSIONS
        raise ValueError(
            "its numbers are big-endian, which is not read; get the file for little-endian machines"
            if swapped
            else f"its version is {version}; expected {' or '.join(map(str, GGUF_VERSIONS))}"
        )
    n_tensors, n_fields = reader.count(12, MOST_NAMED, "tensors"), reader.count(13, MOST_NAMED, "fields")
    fields: dict[str, Any] = {}
    for _ in range(n_fields):
        name = reader.string()
        if name in fields:
            raise ValueError(f"it has the field {name[:100]!r} twice")
        fields[name] = reader.value(reader.number("<u4"), name)
    entries = [_entry(reader) for _ in range(n_tensors)]
    first = reader.at + -reader.at % _alignment(fields)
    tensors = {name: TensorEntry(name, shape, kind, first + offset) for name, shape, kind, offset in entries}
    if len(tensors) < n_tensors:
        raise ValueError("it has two tensors of one name")
    return Header(fields, tensors)


def _entry(reader: "_Reader") -> tuple[str, tuple[int, ...], int, int]:
    name, n_axes = reader.string(), int(reader.number("<u4"))
    if not 1 <= n_axes <= MOST_AXES:
        raise ValueError(f"the tensor {name[:100]!r} has {n_axes} axes; expected 1 to {MOST_AXES}")
    axes = [int(reader.number("<u8")) for _ in range(n_axes)]
    return name, tuple(reversed(axes)), int(reader.number("<u4")), int(reader.number("<u8"))


def _alignment(fields: dict[str, Any]) -> int:
    alignment = fields.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 1 or alignment > 2**20 or alignment & (alignment - 1):
        raise ValueError(f"general.alignment is {str(alignment)[:40]}; expected a power of two up to {2**20}")
    return alignment


class _Reader:
    """A place in the bytes of a file, which moves on with everything that is read."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at, self.n_items = data, 0, 0

    def bytes(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise ValueError(f"it ends too early: {size:,} bytes are expected at byte {self.at:,}; get it again")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, kind: str) -> Any:
        return np.frombuffer(self.bytes(np.dtype(kind).itemsize), kind)[0].item()

    def count(self, smallest: int, most: int, what: str) -> int:
        """A number of things to come, each of which takes at least ``smallest`` bytes."""
        count = int(self.number("<u8"))
        if count > most or count * smallest > len(self.data) - self.at:
            raise ValueError(f"it says that {count:,} {what} follow, more than it can hold or than are read ({most:,})")
        return count

    def string(self) -> str:
        text = bytes(self.bytes(struct.unpack("<Q", self.bytes(8))[0]))
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise ValueError(f"a text in it is not UTF-8: {text[:40]!r}") from None

    def value(self, kind: int, name: str) -> Any:
        if kind in NUMBER_KINDS:
            return self.number(NUMBER_KINDS[kind])
        if kind == BOOL:
            return bool(self.number("<u1"))
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self.array(int(self.number("<u4")), name)
        raise ValueError(f"the field {name[:100]!r} has a value of type {kind}; expected 0 to 12")

    def array(self, kind: int, name: str) -> Any:
        smallest = {STRING: 8, BOOL: 1}.get(kind) or np.dtype(NUMBER_KINDS.get(kind, "<u1")).itemsize
        count = self.count(smallest, MOST_ITEMS - self.n_items, f"values of {name[:100]!r}")
        self.n_items += count
        if kind == STRING:
            return [self.string() for _ in range(count)]
        if kind != BOOL and kind not in NUMBER_KINDS:
            raise ValueError(f"the field {name[:100]!r} is an array of values of type {kind}, which is not read")
        return np.frombuffer(self.bytes(count * smallest), NUMBER_KINDS.get(kind, "<u1")).copy()
