"""Token ids on disk: raw little-endian numbers in a ``.bin`` file, with a JSON header beside it.

The header says what the numbers are (type, vocabulary size, count) and their SHA-256. It is written last, so a shard
without a header is one that was never finished. Shards are memory-mapped: opening costs nothing, whatever the size.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigpt.files.atomic import write_atomically
from minigpt.files.json_object import read_object
from minigpt.files.paths import as_path
from minigpt.files.verified import sha256_of, sha256_of_file

FORMAT = "minigpt.shard"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ShardHeader:
    """What a ``.bin`` file holds.

    Args:
        dtype: ``"uint16"`` or ``"uint32"``, little-endian.
        vocab_size: V; every id is below it.
        count: the number of ids.
        sha256: of the bytes of the ``.bin`` file, in hexadecimal.
    """

    dtype: str
    vocab_size: int
    count: int
    sha256: str
    format: str = FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.format != FORMAT or self.version != VERSION:
            raise ValueError(f"format {self.format!r} version {self.version!r}, expected {FORMAT!r} version {VERSION}")
        if type(self.vocab_size) is not int or type(self.count) is not int or self.count < 0:
            raise ValueError(f"vocab_size {self.vocab_size!r} and count {self.count!r} should be whole numbers")
        if self.dtype != token_dtype(self.vocab_size).name:
            raise ValueError(f"dtype {self.dtype!r} does not belong to vocab_size {self.vocab_size}")
        if not isinstance(self.sha256, str):
            raise ValueError(f"sha256 {self.sha256!r} should be a string")


@dataclass(frozen=True)
class Shard:
    """Token ids, usually memory-mapped, and what is known of them."""

    tokens: np.ndarray
    header: ShardHeader


def token_dtype(vocab_size: int) -> np.dtype:
    """The smallest type that holds every id below ``vocab_size``: uint16 up to 65,536, else uint32.

    Raises:
        ValueError: if ``vocab_size`` is not in ``1..2**32``.
    """
    if not 1 <= vocab_size <= 2**32:
        raise ValueError(f"vocab_size={vocab_size} must be between 1 and 2**32; give the tokenizer's vocab_size")
    return np.dtype("<u2" if vocab_size <= 2**16 else "<u4")


def as_shard(tokens: object, vocab_size: int) -> Shard:
    """Ids in memory as a shard, checked and in their smallest type.

    Args:
        tokens: a list, tensor or array of whole numbers, ``(count,)``.
        vocab_size: V.

    Raises:
        ValueError: if they are not a row of whole numbers in ``range(vocab_size)``.
    """
    array = np.asarray(tokens)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"tokens of shape {array.shape} and type {array.dtype}, expected one row of whole numbers")
    dtype = token_dtype(vocab_size)
    if array.size and not (array.min() >= 0 and array.max() < vocab_size):
        position = int(np.argmax((array < 0) | (array >= vocab_size)))
        raise ValueError(
            f"token id {array[position]} at position {position} is outside 0..{vocab_size - 1}; "
            f"give the vocab_size of the tokenizer that made the ids"
        )
    array = np.ascontiguousarray(array, dtype=dtype)
    header = ShardHeader(dtype=dtype.name, vocab_size=vocab_size, count=len(array), sha256=sha256_of(array.data))
    return Shard(array, header)


def write_shard(path: str | os.PathLike[str], tokens: object, vocab_size: int) -> ShardHeader:
    """Write ids to ``path`` (ending in ``.bin``) and their header beside it.

    Raises:
        ValueError: if an id is not in ``range(vocab_size)``; nothing is written then.
    """
    shard = as_shard(tokens, vocab_size)
    write_atomically(path, shard.tokens.data)
    write_atomically(_header_path(Path(path)), json.dumps(asdict(shard.header), indent=1).encode())
    return shard.header


def open_shard(path: str | os.PathLike[str], *, verify: bool = False) -> Shard:
    """Memory-map a shard.

    Args:
        path: the ``.bin`` file.
        verify: whether to read all of it and compare its SHA-256; its size is compared in any case.

    Raises:
        ValueError: if the header is missing or cannot be used, or the file is not the one it describes.
    """
    path = as_path(path, "path")
    header = _read_header(path)
    dtype = token_dtype(header.vocab_size)
    expected, found = header.count * dtype.itemsize, path.stat().st_size if path.is_file() else None
    if found != expected:
        size = "is missing" if found is None else f"has {found:,} bytes"
        raise ValueError(f"{path} {size}, its header says {expected:,} bytes; {_PREPARE_AGAIN}")
    # an empty file cannot be mapped
    tokens = np.memmap(path, dtype=dtype, mode="r") if header.count else np.empty(0, dtype)
    if verify and sha256_of_file(path) != header.sha256:
        raise ValueError(f"{path} is damaged: its SHA-256 is not the one in its header; {_PREPARE_AGAIN}")
    return Shard(tokens, header)


class ShardWriter:
    """Writes a long row of ids as shards ``00000.bin``, ``00001.bin`` … of equal size.

    Args:
        folder: where; made if need be.
        vocab_size: V.
        shard_tokens: ids a shard; the last may have fewer.
    """

    def __init__(self, folder: Path, vocab_size: int, shard_tokens: int) -> None:
        if shard_tokens < 1:
            raise ValueError(f"shard_tokens={shard_tokens} must be at least 1; leave it out for the default")
        self.folder, self.vocab_size, self.shard_tokens = folder, vocab_size, shard_tokens
        self.n_tokens = 0
        self._waiting: list[np.ndarray] = []
        self._n_shards = 0

    def add(self, tokens: np.ndarray) -> None:
        """Append ids; whole shards are written at once."""
        self.n_tokens += len(tokens)
        self._waiting.append(tokens)
        if sum(map(len, self._waiting)) >= self.shard_tokens:
            row = np.concatenate(self._waiting)
            whole = len(row) - len(row) % self.shard_tokens
            for start in range(0, whole, self.shard_tokens):
                self._write(row[start : start + self.shard_tokens])
            self._waiting = [row[whole:]]

    def close(self) -> None:
        """Write what is left."""
        rest = np.concatenate([np.empty(0, token_dtype(self.vocab_size)), *self._waiting])
        if len(rest) or not self._n_shards:
            self._write(rest)
        self._waiting = []

    def _write(self, tokens: np.ndarray) -> None:
        write_shard(self.folder / f"{self._n_shards:05d}.bin", tokens, self.vocab_size)
        self._n_shards += 1


def open_shards(folder: str | os.PathLike[str], *, verify: bool = False) -> list[Shard]:
    """Open every shard of a folder, in order.

    Raises:
        ValueError: if there is none, one cannot be used, or their vocabularies differ.
    """
    headers = sorted(as_path(folder, "folder").glob("*.json"))
    if not headers:
        raise ValueError(f"{folder} has no shards (.bin files, each with a .json header); {_PREPARE_AGAIN}")
    shards = [open_shard(header.with_suffix(".bin"), verify=verify) for header in headers]
    sizes = sorted({shard.header.vocab_size for shard in shards})
    if len(sizes) > 1:
        raise ValueError(f"the shards of {folder} have different vocabulary sizes {sizes}; {_PREPARE_AGAIN}")
    return shards


_PREPARE_AGAIN = "prepare the data again"


def _header_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_header(path: Path) -> ShardHeader:
    header = _header_path(path)
    try:
        return ShardHeader(**read_object(header, "it"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{header} is not a usable shard header: {error}; {_PREPARE_AGAIN}") from None
