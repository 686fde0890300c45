"""Formulas in words, for screen readers."""

from __future__ import annotations

import re
from functools import reduce
from typing import Any

from minigpt.equations.explorer.speech import ENGLISH, Speech


def spoken_name(latex: str, speech: Speech = ENGLISH) -> str:
    r"""A name in words.

    >>> spoken_name(r"\theta_{t-1}"), spoken_name("W^{Q}"), spoken_name("v'")
    ('theta sub t minus 1', 'W super Q', 'v prime')
    """
    words = re.sub(
        r"\\frac\{\\partial (.*)\}\{\\partial (.*)\}", lambda found: speech.derivative.format(*found.groups()), latex
    )
    words = re.sub(r"\\(hat|bar)\{(.*?)\}", lambda found: speech.accents[found[1]].format(found[2]), words)
    words = words.replace(r"\mathrm", "").replace(r"\operatorname", "")
    for sign, word in speech.signs.items():
        words = words.replace(sign, word)
    return " ".join(re.sub(r"[\\{}]", " ", words).split())


def spoken(node: Any, speech: Speech = ENGLISH) -> str:
    """A node in words."""
    if not hasattr(node, "data"):
        return spoken_name(str(node), speech)
    parts = [spoken(child, speech) for child in node.children]
    forms, kind = speech.forms, node.data
    if kind == "array":
        return _below(parts[0], parts[1:], speech)
    if kind in ("call", "signature"):
        return _below(forms["call"].format(*parts), parts[2:], speech)
    if kind in ("arguments", "parameters", "cases"):
        return reduce(forms["or" if kind == "cases" else "and"].format, parts)
    if kind == "case":
        return forms["case" if parts[1:] else "otherwise"].format(*parts)
    if kind == "comparison":
        return " ".join(speech.relations.get(str(each), word) for each, word in zip(node.children, parts, strict=True))
    if kind == "reduce":
        return speech.reductions[str(node.children[0])].format(*parts[1:])
    return forms[kind].format(*parts)


def _below(name: str, indices: list[str], speech: Speech) -> str:
    """A name with its indices, if it has any."""
    return speech.forms["subscript"].format(name, " ".join(indices)) if indices else name
