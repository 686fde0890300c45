"""Cutting files so that several processes can encode them, without a token to tell where the cuts were.

A cut is made only after a line break that has no white space before or after it. There GPT-2's split pattern, and those
of tiktoken's later vocabularies, end a piece in any case, so the chunks' tokens put end to end are the file's tokens.
A stretch of text without such a place stays in one chunk.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from minigpt.text.reading import decode_utf8

# surrogates stand for the bytes of a character that a window shows in part; it may be white space
_SAFE_CUT = re.compile("(?<=[^\\s\ud800-\udfff])\\r?\\n(?=[^\\s\ud800-\udfff])")
_WINDOW = 2**16
# a character of four bytes, CR, LF and another character make ten
_OVERLAP = 9


@dataclass(frozen=True)
class Chunk:
    """Bytes ``start`` to ``stop`` of a file; whether they begin the validation part or end the file."""

    path: Path
    start: int
    stop: int
    validation: bool
    ends_file: bool

    @property
    def n_bytes(self) -> int:
        """Its length."""
        return self.stop - self.start

    def texts(self) -> Iterator[tuple[str, bool]]:
        """The text of the chunk, and whether it ends a file."""
        yield self.read(), self.ends_file

    def read(self) -> str:
        """The text of the chunk.

        Raises:
            ValueError: if it is not UTF-8.
        """
        with self.path.open("rb") as file:
            file.seek(self.start)
            return decode_utf8(file.read(self.stop - self.start), self.path, offset=self.start)


def plan_chunks(files: Sequence[Path], validation_fraction: float, chunk_bytes: int) -> list[Chunk]:
    """Divide files into chunks of about ``chunk_bytes``, the last ``validation_fraction`` of all bytes set apart.

    Returns:
        The chunks in file order. The validation part starts at the first safe cut behind the wanted share of the
        training part, at a character if there is none.
    """
    sizes = [file.stat().st_size for file in files]
    wanted = int(sum(sizes) * (1 - validation_fraction))
    chunks: list[Chunk] = []
    before = 0
    for path, size in zip(files, sizes, strict=True):
        split = 0 if before >= wanted else size
        if before < wanted < before + size:
            split = _safe_cut(path, wanted - before, size) or _character_cut(path, wanted - before)
        cuts = [0, *_cuts(path, 0, split, chunk_bytes), split, *_cuts(path, split, size, chunk_bytes), size]
        for start, stop in pairwise(cuts):
            if start < stop:
                chunks.append(Chunk(path, start, stop, validation=start >= split, ends_file=stop == size))
        before += size
    return chunks


def _cuts(path: Path, start: int, stop: int, chunk_bytes: int) -> Iterator[int]:
    while start + chunk_bytes < stop and (cut := _safe_cut(path, start + chunk_bytes, stop)):
        yield cut
        start = cut


def _safe_cut(path: Path, start: int, stop: int) -> int | None:
    """The first byte after ``start`` and before ``stop`` that begins a line where a cut leaves no trace."""
    with path.open("rb") as file:
        while start < stop:
            file.seek(start)
            window = file.read(_WINDOW)
            # surrogateescape keeps the count of bytes where the window begins or ends inside a character
            text = window.decode(errors="surrogateescape")
            if found := _SAFE_CUT.search(text):
                cut = start + len(text[: found.end()].encode(errors="surrogateescape"))
                return cut if cut < stop else None
            # a line break at the edge of one window lies inside the next
            start += max(len(window) - _OVERLAP, 1)
    return None


def _character_cut(path: Path, start: int) -> int:
    """The first byte from ``start`` on that begins a character."""
    with path.open("rb") as file:
        file.seek(start)
        following = file.read(4)
    return start + next((i for i, byte in enumerate(following) if byte & 0xC0 != 0x80), 0)
