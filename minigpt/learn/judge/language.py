"""The language of a reply."""

import os
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
