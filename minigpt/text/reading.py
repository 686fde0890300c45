"""Text files, read with clear errors.

UTF-8 is the only encoding accepted, with or without a byte-order mark; CRLF becomes LF.
"""

import os
from pathlib import Path

TEXT_SUFFIXES = (".txt", ".text", ".md", ".rst")


def read_text(path: str | os.PathLike[str]) -> str:
    """Read one text file, or every text file of a folder.

    Args:
        path: a file of any name, or a folder. In a folder the files that end in one of :data:`TEXT_SUFFIXES` are read,
            those of subfolders too, in the order of their paths, and joined by a blank line.

    Returns:
        The text, without byte-order mark, its lines ended by LF.

    Raises:
        ValueError: if the path does not exist, a file is not UTF-8, or there is no text in it.
    """
    text = "\n\n".join(decode_utf8(file.read_bytes(), file) for file in text_files(path))
    if not text.strip():
        raise ValueError(f"{path} holds no text; give a file that has some")
    return text


def text_files(path: str | os.PathLike[str]) -> list[Path]:
    """The text files that ``path`` stands for: itself, or those inside it, sorted.

    Raises:
        ValueError: if the path does not exist, or is a folder without text files.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"{path} does not exist; give the path of a text file or of a folder of text files")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in TEXT_SUFFIXES and file.is_file())
    if not files:
        raise ValueError(f"{path} has no file ending in {', '.join(TEXT_SUFFIXES)}; rename yours or name one file")
    return files


def decode_utf8(data: bytes, path: str | os.PathLike[str], *, offset: int = 0) -> str:
    """Decode ``data``, found ``offset`` bytes into the file ``path``.

    Returns:
        The text; a byte-order mark is dropped at offset 0 only, and CRLF becomes LF.

    Raises:
        ValueError: if ``data`` is not UTF-8; it names the file and the byte.
    """
    try:
        text = data.decode("utf-8-sig" if offset == 0 else "utf-8")
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        # the -sig codec counts from behind the mark
        at = offset + error.start + len(data) - len(error.object)
        raise ValueError(
            f"{path} is not UTF-8: byte 0x{bad:02x} at offset {at}; convert it first, "
            f"for example: iconv -f LATIN1 -t UTF-8 '{path}' > converted.txt"
        ) from None
    return text.replace("\r\n", "\n")


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


def check_fraction(validation_fraction: float) -> None:
    """Refuse a validation share outside (0, 1)."""
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction={validation_fraction} must lie between 0 and 1; try 0.1")
