"""The language of a reply."""

import os
import re
from typing import Literal

Language = Literal["en", "zh"]


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
