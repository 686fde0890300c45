"""Text files, read with clear errors.

UTF-8 is the only encoding accepted, with or without a byte-order mark; CRLF becomes LF. Files and folders whose names
begin with a dot are not read, nor what macOS adds to an archive, and a file that has several names is read once.
"""

import os
import select
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from minigpt.files.paths import as_path
from minigpt.settings import Range, counted, meant_share
from minigpt.text.encodings import decode_utf8

TEXT_SUFFIXES = (".txt", ".text", ".md", ".rst")
BETWEEN_FILES = "\n\n"
SECONDS_TO_BEGIN = 60  # that the writer of a pipe has
_NOT_TEXTS = ("__MACOSX",)
_FRACTION = Range(0.0, 1.0, "()")


@dataclass(frozen=True)
class TextFiles:
    """The files that are read as a text, and how.

    Args:
        paths: a file, a folder, or several of them.
        glob: in a folder, the files of this pattern, such as ``"*.py"``; ``None`` takes those that end in one of
            :data:`TEXT_SUFFIXES`.
        special_tokens: whether the text of a special token, such as ``<|endoftext|>``, becomes that token; otherwise it
            is text like any other.
    """

    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    glob: str | None = None
    special_tokens: bool = False

    @contextmanager
    def on_disk(self) -> Iterator[list[Path]]:
        """The files, in order, to be read as often as needed: a pipe, which can be read once, is copied for the block.

        Raises:
            ValueError: as :func:`text_files`.
        """
        given: Any = self.paths
        paths = [given] if isinstance(given, str | os.PathLike) or not isinstance(given, Iterable) else given
        files = [file for path in paths for file in text_files(path, self.glob)]
        with tempfile.TemporaryDirectory() as folder:
            for i, file in enumerate(files):
                if not file.is_file():
                    files[i] = Path(folder) / f"{i}-{file.name}"
                    with _pipe(file) as pipe, files[i].open("wb") as copy:
                        shutil.copyfileobj(pipe, copy)
            yield files


def read_text(path: str | os.PathLike[str], glob: str | None = None) -> str:
    """Read one text file, or every text file of a folder.

    Args:
        path: a file of any name, a pipe such as ``/dev/stdin``, or a folder. In a folder the files that end in one of
            :data:`TEXT_SUFFIXES` are read, those of subfolders too, in the order of their paths, and joined by a blank
            line.
        glob: in a folder, the files of this pattern instead, such as ``"*.py"``.

    Returns:
        The text, without byte-order mark, its lines ended by LF.

    Raises:
        ValueError: if the path does not exist, a file is not UTF-8, or there is no text in it.
    """
    text = read_files(text_files(path, glob))
    if not text.strip():
        raise ValueError(f"{path} holds no text; give a file that has some")
    return text


def read_texts(path: str | os.PathLike[str], glob: str | None = None) -> list[str]:
    """The texts of :func:`read_text`, one of each file, not joined.

    Args:
        path: as there.
        glob: as there.

    Raises:
        ValueError: as :func:`read_text`.
    """
    texts = [read_file(file) for file in text_files(path, glob)]
    if not any(text.strip() for text in texts):
        raise ValueError(f"{path} holds no text; give a file that has some")
    return texts


def read_files(files: Iterable[Path]) -> str:
    """The texts of files, joined by a blank line.

    Raises:
        ValueError: if one is not UTF-8.
    """
    return BETWEEN_FILES.join(map(read_file, files))


def read_file(file: Path) -> str:
    """The text of one file.

    Raises:
        ValueError: if the file can't be read, or is not UTF-8.
    """
    try:
        data = _piped(file) if file.is_fifo() else file.read_bytes()
    except OSError as error:  # the error of a read, other than that of an open, does not name the file
        raise ValueError(f"{file} can't be read: {error.strerror}; give a text file that can") from None
    return decode_utf8(data, file)


def _piped(pipe: Path) -> bytes:
    with _pipe(pipe) as stream:
        return stream.read()


@contextmanager
def _pipe(pipe: Path) -> Iterator[IO[bytes]]:
    """A pipe, whose writer has a minute to begin."""
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        if not select.select([stream], [], [], SECONDS_TO_BEGIN)[0]:
            raise ValueError(
                f"nothing was written to the pipe {pipe} for {SECONDS_TO_BEGIN} s; write the text to a file and name it"
            )
        os.set_blocking(stream.fileno(), True)
        yield stream


def text_files(path: str | os.PathLike[str], glob: str | None = None) -> list[Path]:
    """The text files that ``path`` stands for: itself, or those inside it, sorted.

    Args:
        path: of a file, a pipe or a folder.
        glob: in a folder, the files of this pattern; ``None`` takes those that end in one of :data:`TEXT_SUFFIXES`.

    Raises:
        ValueError: if the path does not exist, is a device, or is a folder without such files.
    """
    path = as_path(path, "path")
    if path.is_file() or path.is_fifo():
        return [path]
    if not path.exists():
        raise ValueError(f"{path} does not exist; give the path of a text file or of a folder of text files")
    if not path.is_dir():
        kind = "the terminal or another device" if stat.S_ISCHR(path.stat().st_mode) else "neither a file nor a folder"
        raise ValueError(f"{path} is {kind}; give a text file, a folder of them, or pipe a text into /dev/stdin")
    files: dict[Path, Path] = {}
    for file in sorted(_matching(path, glob)):
        if file.is_file() and not _left_out(file.relative_to(path)):
            files.setdefault(file.resolve(), file)
    if not files:
        wanted = f"ending in {', '.join(TEXT_SUFFIXES)}" if glob is None else f"of the pattern {glob!r}"
        raise ValueError(f"{path} has no file {wanted}; name one file, or choose others by a glob: --glob '*.py'")
    return list(files.values())


def _matching(folder: Path, glob: str | None) -> Iterable[Path]:
    if glob is None:
        return (file for file in folder.rglob("*") if file.suffix.lower() in TEXT_SUFFIXES)
    try:
        return list(folder.rglob(glob))
    except (ValueError, NotImplementedError, IndexError):
        raise ValueError(f"glob={glob!r} is not a pattern of file names in a folder; try '*.py'") from None


def _left_out(inside: Path) -> bool:
    return any(part.startswith(".") or part in _NOT_TEXTS for part in inside.parts)


def split_text(text: str, validation_fraction: float = 0.1) -> tuple[str, str]:
    """Cut a text in two at a character, in file order.

    Args:
        text: at least two characters.
        validation_fraction: the share of characters, between 0 and 1, that goes to the second part.

    Returns:
        ``(train, validation)``, neither empty.

    Raises:
        ValueError: if the fraction is not between 0 and 1, or the text has fewer than two characters.
    """
    check_fraction(validation_fraction)
    if len(text) < 2:
        raise ValueError(f"a text of {counted(len(text), 'character')} cannot be cut in two; give a longer text")
    cut = min(max(int(len(text) * (1 - validation_fraction)), 1), len(text) - 1)
    return text[:cut], text[cut:]


def split_texts(
    texts: Sequence[str], validation_fraction: float = 0.1, whole: Iterable[str] = ()
) -> tuple[list[str], list[str]]:
    """Cut texts that follow each other in two, where :func:`split_text` cuts them joined by a blank line.

    Args:
        texts: with two characters at least.
        validation_fraction: the share of characters, between 0 and 1, that goes to the second part.
        whole: what is not cut, such as the texts of special tokens: the cut moves behind it.

    Returns:
        ``(train, validation)``; a text that the cut goes through is in both, in part.

    Raises:
        ValueError: as :func:`split_text`.
    """
    joined = BETWEEN_FILES.join(texts)
    left = _outside(joined, len(split_text(joined, validation_fraction)[0]), whole)
    train: list[str] = []
    for i, text in enumerate(texts):
        if left <= len(text):
            return [*train, text[:left]], [text[left:], *texts[i + 1 :]]
        train.append(text)
        left = max(left - len(text) - len(BETWEEN_FILES), 0)
    raise AssertionError("the cut lies inside the texts")


def _outside(text: str, cut: int, whole: Iterable[str]) -> int:
    """The cut, moved behind what it goes through of ``whole``; before it where nothing would be left behind it."""
    for piece in whole:
        inside = text.find(piece, max(cut - len(piece) + 1, 0), cut + len(piece) - 1)
        if inside >= 0:
            cut = inside + len(piece) if inside + len(piece) < len(text) else inside
    return cut


def check_fraction(validation_fraction: float) -> None:
    """Refuse a validation share outside (0, 1)."""
    if not _FRACTION.holds(validation_fraction):
        instead = meant_share(validation_fraction, _FRACTION) or "; try 0.1"
        raise ValueError(f"validation_fraction={validation_fraction} must lie between 0 and 1{instead}")
