"""Text files, read with clear errors.

UTF-8 is the only encoding accepted, with or without a byte-order mark; CRLF becomes LF. Files and folders whose names
begin with a dot are not read, nor what macOS adds to an archive, and a file that has several names is read once.
"""

import os
import re
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TEXT_SUFFIXES = (".txt", ".text", ".md", ".rst")
BETWEEN_FILES = "\n\n"
_NOT_TEXTS = ("__MACOSX",)
_MARKS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


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
        paths = [self.paths] if isinstance(self.paths, str | os.PathLike) else self.paths
        files = [file for path in paths for file in text_files(path, self.glob)]
        with tempfile.TemporaryDirectory() as folder:
            for i, file in enumerate(files):
                if not file.is_file():
                    files[i] = Path(folder) / f"{i}-{file.name}"
                    with file.open("rb") as pipe, files[i].open("wb") as copy:
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


def read_texts(path: str | os.PathLike[str]) -> list[str]:
    """The texts of :func:`read_text`, one of each file, not joined.

    Raises:
        ValueError: as :func:`read_text`.
    """
    texts = [read_file(file) for file in text_files(path)]
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
        data = file.read_bytes()
    except OSError as error:  # the error of a read, other than that of an open, does not name the file
        raise ValueError(f"{file} can't be read: {error.strerror}; give a text file that can") from None
    return decode_utf8(data, file)


def text_files(path: str | os.PathLike[str], glob: str | None = None) -> list[Path]:
    """The text files that ``path`` stands for: itself, or those inside it, sorted.

    Args:
        path: of a file, a pipe or a folder.
        glob: in a folder, the files of this pattern; ``None`` takes those that end in one of :data:`TEXT_SUFFIXES`.

    Raises:
        ValueError: if the path does not exist, is a device, or is a folder without such files.
    """
    path = Path(path)
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
        raise ValueError(
            f"{path} has no file {wanted}; name one file, or choose others by a glob: minigpt prepare --glob '*.py'"
        )
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


def decode_utf8(data: bytes, path: str | os.PathLike[str], *, offset: int = 0) -> str:
    """Decode ``data``, found ``offset`` bytes into the file ``path``.

    Returns:
        The text; a byte-order mark is dropped at offset 0 only, and CRLF becomes LF.

    Raises:
        ValueError: if ``data`` is not UTF-8, or has a zero byte, which no text has; it names the file and the byte.
    """
    found = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig" if offset == 0 else "utf-8")
    except UnicodeDecodeError as error:
        # the -sig codec counts from behind the mark
        found = error.start + len(data) - len(error.object)
    if found < 0:
        return text.replace("\r\n", "\n")
    quoted = shlex.quote(str(path))
    if (encoding := _encoding(data, offset)) is None:
        zero = f"{path} is not a text: byte 0x00 at offset {offset + data.find(0)}; leave the file out"
        removed = f", or remove such bytes: tr -d '\\000' < {quoted} > converted.txt"
        raise ValueError(zero + (removed if data[found] == 0 else ""))
    raise ValueError(
        f"{path} is not UTF-8: byte 0x{data[found]:02x} at offset {offset + found}; convert it first, "
        f"for example: iconv -f {encoding} -t UTF-8 {quoted} > converted.txt"
    )


def _encoding(data: bytes, offset: int) -> str | None:
    """What bytes that are not a text in UTF-8 probably are; ``None`` for no text at all, or one with zero bytes."""
    if offset == 0 and (mark := next((mark for mark in _MARKS if data.startswith(mark)), None)):
        return _MARKS[mark]
    zeros = [data[(half + offset) % 2 :: 2].count(0) for half in (0, 1)]
    try:
        data.decode()
        is_utf8 = True
    except UnicodeDecodeError:
        is_utf8 = False
    # UTF-16 has zeros in every other byte only, in nearly all of these if the letters are Latin
    if max(zeros) > 10 * min(zeros) and (not is_utf8 or 4 * max(zeros) >= len(data)):
        return "UTF-16BE" if zeros[0] > zeros[1] else "UTF-16LE"
    return None if 0 in data else "GB18030" if _is_chinese(data) else "LATIN1"


def _is_chinese(data: bytes) -> bool:
    """Whether the bytes are probably Chinese in GB18030: nearly all bytes beyond ASCII come in pairs."""
    runs = re.findall(rb"[\x80-\xff]+", data)
    return 10 * sum(len(run) % 2 == 0 for run in runs) > 9 * len(runs)


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
        raise ValueError(f"a text of {len(text)} characters cannot be cut in two; give a longer text")
    cut = min(max(int(len(text) * (1 - validation_fraction)), 1), len(text) - 1)
    return text[:cut], text[cut:]


def split_texts(texts: Sequence[str], validation_fraction: float = 0.1) -> tuple[list[str], list[str]]:
    """Cut texts that follow each other in two, where :func:`split_text` cuts them joined by a blank line.

    Args:
        texts: with two characters at least.
        validation_fraction: the share of characters, between 0 and 1, that goes to the second part.

    Returns:
        ``(train, validation)``; a text that the cut goes through is in both, in part.

    Raises:
        ValueError: as :func:`split_text`.
    """
    left = len(split_text(BETWEEN_FILES.join(texts), validation_fraction)[0])
    train: list[str] = []
    for i, text in enumerate(texts):
        if left <= len(text):
            return [*train, text[:left]], [text[left:], *texts[i + 1 :]]
        train.append(text)
        left = max(left - len(text) - len(BETWEEN_FILES), 0)
    raise AssertionError("the cut lies inside the texts")


def check_fraction(validation_fraction: float) -> None:
    """Refuse a validation share outside (0, 1)."""
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction={validation_fraction} must lie between 0 and 1; try 0.1")
