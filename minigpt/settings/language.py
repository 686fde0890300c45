"""The language of a reply, and the columns that its characters and its lines take in a terminal."""

import os
import re
import shutil
from collections.abc import Iterator
from typing import Literal, NamedTuple
from unicodedata import east_asian_width

Language = Literal["en", "zh"]
# A word with the spaces after it; a Chinese character is a word, together with the punctuation that ends it.
_CHINESE, _ENDS = r"\u2e80-\u9fff\uff00-\uffef", "[，。：；、！？）”》]*"
_WORDS = re.compile(rf"[{_CHINESE}“]{_ENDS}\s*|[^\s{_CHINESE}]+{_ENDS}\s*")


class Bilingual(NamedTuple):
    """Words in both languages.

    Attributes:
        en: English.
        zh: Chinese.
    """

    en: str
    zh: str

    def spoken(self, lang: str | None = None) -> str:
        """The words in the language that is asked for, or else in that of the locale.

        Args:
            lang: as for :func:`language`.
        """
        return self.zh if language(lang) == "zh" else self.en


def language(lang: str | None = None) -> Language:
    """The language that was asked for, or else that of the locale.

    Args:
        lang: "en", "zh" or a form of them such as "zh-CN"; ``None`` asks ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``.

    Raises:
        ValueError: if it is another language.
    """
    if lang is None:
        named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
        return "zh" if named.lower().startswith("zh") else "en"
    if lang.lower()[:2] not in ("en", "zh"):
        raise ValueError(f'lang={lang!r} must be "en" or "zh"')
    return "zh" if lang.lower().startswith("zh") else "en"


def tidy(text: str, lang: Language) -> str:
    """A sentence without the spaces that its parts bring with them: beside Chinese punctuation there is none.

    Args:
        text: put together from several parts.
        lang: of the text; English stays as it is.
    """
    return re.sub(r" *([，。：；、！？（）“”]) *", r"\1", text) if lang == "zh" else text


def columns_of(text: str) -> int:
    """The columns that a text takes in a terminal: a Chinese character takes two.

    Args:
        text: of one line.
    """
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def filled(text: str, columns: int, side: str = "right") -> str:
    """A text with blanks to fill some columns.

    Args:
        text: of one line.
        columns: of a terminal; a text that is wider stays as it is.
        side: where the blanks go: "right", "left" or "both".
    """
    blanks = max(0, columns - columns_of(text))
    before = {"right": 0, "left": blanks, "both": blanks // 2}[side]
    return " " * before + text + " " * (blanks - before)


def wrapped(text: str, columns: int = 80) -> Iterator[str]:
    """The lines of a paragraph; Chinese may be broken between any two characters.

    Args:
        text: one paragraph.
        columns: how many a line may take.
    """
    line = ""
    for word in _WORDS.findall(text):
        if line and columns_of(line + word.rstrip()) > columns:
            yield line.rstrip()
            line = ""
        line += word
    yield line.rstrip()


def folded(text: str, hang: int = 0, columns: int | None = None) -> str:
    """Lines of prose, each broken at spaces where a terminal is narrower; a path or a name stays whole.

    Args:
        text: one line or several; the blanks that a line begins with are kept.
        hang: blanks before what is left of a line.
        columns: how many a line may take; ``None`` asks the terminal, and takes 80 where there is none.
    """
    columns = shutil.get_terminal_size().columns if columns is None else columns
    folds: list[str] = []
    for line in text.split("\n"):
        before = line[: len(line) - len(line.lstrip(" "))]
        first, *_ = parts = list(wrapped(line, columns - len(before)))
        rest = line.lstrip(" ")[len(first) :] if len(parts) > 1 else ""
        folds += [before + first, *(" " * hang + part for part in wrapped(rest, columns - hang) if rest)]
    return "\n".join(folds)
