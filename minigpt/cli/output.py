"""What a command prints: JSON for programs, commands for people to copy, and streams that take every character."""

import errno
import io
import json
import math
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigpt.files.atomic import is_full, write_atomically
from minigpt.settings.language import Bilingual

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = Bilingual("picture: {}", "图片：{}")
#: What to do about what the system refused.
ADVICE = {
    errno.EACCES: "; choose a place where you may read and write",
    errno.EPERM: "; choose a place where you may read and write",
    errno.EROFS: "; choose a folder that is not read-only",
    errno.ENAMETOOLONG: "; choose a shorter name",
    errno.ENOSPC: "; make room, or choose another disk",
    errno.EFBIG: " for this disk or for the limit of `ulimit -f`; choose another disk, or raise the limit",
}


def print_json(figures: Any) -> None:
    """Print ``figures`` as JSON; a number that is not finite, which JSON does not have, becomes null.

    Where stdout can't show a character, all that are not ASCII are escaped as JSON does it.

    Args:
        figures: dictionaries, lists, tuples, strings, numbers and ``None``.
    """
    text = as_json(figures)
    print(text if can_show(text) else as_json(figures, ascii_only=True))


def can_show(text: str) -> bool:
    """Whether stdout has every character of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def as_json(figures: Any, *, ascii_only: bool = False) -> str:
    """The text that :func:`print_json` prints.

    Args:
        figures: as there.
        ascii_only: whether characters that are not ASCII are escaped.
    """
    return json.dumps(_finite(figures), indent=1, ensure_ascii=ascii_only, allow_nan=False)


def _finite(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {name: _finite(value) for name, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [_finite(value) for value in figures]
    return None if isinstance(figures, float) and not math.isfinite(figures) else figures


def save_picture(plot: Callable[[], "Figure"], path: Path, *, kept: str) -> str:
    """Draw a picture into a file, whole or not at all; where that can't be done, everything else stays as it is.

    A disk without room is warned of, since the work that the picture shows is done.

    Args:
        plot: makes the figure.
        path: of the file; its ending is the format.
        kept: what a warning says of the rest: "the run is saved".

    Returns:
        What to print as its place: the path, or why there is no picture.
    """
    data = io.BytesIO()
    try:
        plot().savefig(data, format=path.suffix.removeprefix(".") or "png")
    except ImportError as error:
        return str(error)
    try:
        write_atomically(path, data.getvalue())
    except (OSError, ValueError) as error:
        warnings.warn(f"{path} was not written ({reason_of(error)}); {kept}", stacklevel=2)
        return f"not written: {reason_of(error)}"
    return str(path)


def reason_of(error: OSError | ValueError) -> str:
    """Why something was refused, by the system or because of what is in its place, in a few words.

    Args:
        error: as it was raised.
    """
    if isinstance(error, ValueError) or error.errno is None:
        return str(error)
    return "the disk is full" if is_full(error) else os.strerror(error.errno)


def message_of(error: BaseException) -> str:
    """What went wrong and what to do, without the number that the system gives it.

    Args:
        error: that ended the command.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    where = "" if error.filename is None else f"{error.filename}: "
    reason = reason_of(error) if error.strerror == os.strerror(error.errno) else error.strerror
    return f"{where}{reason}{ADVICE.get(error.errno, '')}"


def command(*words: str | Path) -> str:
    """A command as it can be typed into a shell; a path that begins with a dash is not taken for an option.

    Args:
        words: of the command; a path is an argument.
    """
    return " ".join(
        shlex.quote(f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word))
        for word in words
    )


def show_every_character() -> None:
    r"""Let stdout and stderr escape what their encoding lacks, as ``\u4f60``, without an error; read stdin likewise.

    Tables and texts have characters that an ASCII terminal or a Windows code page lacks; none may end a command.
    """
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, errors="backslashreplace")
    _reconfigure(sys.stdin, errors="replace")


def print_each_line_at_once() -> None:
    """Let the reader of a pipe or of a file get each line of stdout when it is printed, and not at the end."""
    _reconfigure(sys.stdout, line_buffering=True)


def _reconfigure(stream: Any, **options: Any) -> None:
    if hasattr(stream, "reconfigure"):  # a notebook's streams take every character as they are
        stream.reconfigure(**options)


class LastingStream:
    """A stream whose reader may leave: the command continues, and what it prints from then on is dropped.

    It does what the stream does; a pipe without a reader, or a disk without room, is not an error of the command.

    Args:
        stream: such as stdout.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """As the stream's; all of it is taken even where it is dropped."""
        try:
            self.stream.write(text)
        except OSError:
            drop_output(self.stream)
        return len(text)

    def flush(self) -> None:
        """As the stream's."""
        try:
            self.stream.flush()
        except OSError:
            drop_output(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def drop_output(stream: Any) -> None:
    """Send what the stream still holds, and all that follows, to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def lines_of(text: str, *, whole: bool) -> list[str]:
    """The lines of a text, those first that are whole; of a text without lines, what follows its first word.

    Args:
        text: one or more lines.
        whole: whether the text begins where a line does.
    """
    lines = text.split("\n")
    if whole:
        return lines
    return [*lines[1:-1], *lines[1:], text.partition(" ")[2], text]


def first_words_of(line: str) -> str:
    """The beginning of a line, at most half of it: up to three words, if one fits, and at most 24 characters.

    It ends before a character that a terminal does not show.
    """
    shown = "".join(takewhile(lambda c: c.isprintable() and c != "\ufffd", line)).rstrip()
    room = min((len(line.rstrip()) + 1) // 2, 24)
    ends = [word.end() for word in re.finditer(r"\S+", shown)][:3]
    return shown[: max((end for end in ends if end <= room), default=room)]
