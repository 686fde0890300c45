"""Bytes that should be UTF-8: their text, or what they probably are, with a command that converts them."""

import os
import re
import shlex

_MARKS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


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
