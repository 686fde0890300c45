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

from minigpt.text.encodings import decode_utf8
from minigpt.text.reading import BETWEEN_FILES

# surrogates stand for the bytes of a character that a window shows in part; it may be white space
_SAFE_CUT = re.compile("(?<=[^\\s\ud800-\udfff])\\r?\\n(?=[^\\s\ud800-\udfff])")
_WINDOW = 2**16
# a character of four bytes, CR, LF and another character make ten
_OVERLAP = 9


@dataclass(frozen=True)
class Chunk:
    """Bytes ``start`` to ``stop`` of a file.

    Args:
        path: of the file.
        start: the first byte.
        stop: the byte after the last.
        validation: whether they are of the validation part.
        ends_file: whether they are the end of the file.
        followed: whether another file follows.
        special: whether the text of a special token in them becomes that token.
    """

    path: Path
    start: int
    stop: int
    validation: bool
    ends_file: bool
    followed: bool = False
    special: bool = False

    @property
    def n_bytes(self) -> int:
        """Its length."""
        return self.stop - self.start

    def texts(self) -> Iterator[tuple[str, bool, str]]:
        """The text of the chunk, whether it ends a file, and what then comes before the next one in plain text."""
        yield self.read(), self.ends_file, BETWEEN_FILES if self.followed else ""

    def read(self) -> str:
        """The text of the chunk.

        Raises:
            ValueError: if it is not UTF-8.
        """
        with self.path.open("rb") as file:
            file.seek(self.start)
            return decode_utf8(file.read(self.stop - self.start), self.path, offset=self.start)


def plan_chunks(
    files: Sequence[Path], validation_fraction: float, chunk_bytes: int, special_tokens: Sequence[str] = ()
) -> list[Chunk]:
    """Divide files into chunks of about ``chunk_bytes``, the last ``validation_fraction`` of all bytes set apart.

    Args:
        files: in order.
        validation_fraction: the share that is set apart.
        chunk_bytes: of a chunk, at least, where there is a place to cut.
        special_tokens: those whose text becomes the token; none is cut.

    Returns:
        The chunks in file order. The validation part starts at the first safe cut behind the wanted share of the
        training part, at a character if there is none.
    """
    whole = [b"\r\n", *(token.encode() for token in special_tokens)]
    sizes = [file.stat().st_size for file in files]
    wanted = int(sum(sizes) * (1 - validation_fraction))
    chunks: list[Chunk] = []
    before = 0
    for number, (path, size) in enumerate(zip(files, sizes, strict=True), start=1):
        split = 0 if before >= wanted else size
        if before < wanted < before + size:
            split = _safe_cut(path, wanted - before, size) or _character_cut(path, wanted - before, whole)
        cuts = [0, *_cuts(path, 0, split, chunk_bytes), split, *_cuts(path, split, size, chunk_bytes), size]
        for start, stop in pairwise(cuts):
            if start < stop:
                place = {"validation": start >= split, "ends_file": stop == size, "followed": number < len(files)}
                chunks.append(Chunk(path, start, stop, **place, special=bool(special_tokens)))
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


def _character_cut(path: Path, start: int, whole: Sequence[bytes]) -> int:
    """The first byte from ``start`` on that begins a character and is not inside one of the texts to be kept whole."""
    margin = max(map(len, whole))
    first = max(start - margin, 0)
    with path.open("rb") as file:
        file.seek(first)
        around = file.read(start - first + 2 * margin + 4)
    cut = start - first
    while cut < len(around) and around[cut] & 0xC0 == 0x80:
        cut += 1
    for text in whole:
        inside = around.find(text, max(cut - len(text) + 1, 0), cut + len(text) - 1)
        if inside >= 0:
            # at the end of the file there would be nothing left after it
            cut = inside + len(text) if inside + len(text) < len(around) else inside
    return first + cut
