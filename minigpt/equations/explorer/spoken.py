"""Formulas in words, for screen readers."""

from __future__ import annotations

import re
from typing import Any

SPOKEN_FORMS = {
    "definition": "{} equals {}",
    "equality": "{} equals {}",
    "add": "{} plus {}",
    "subtract": "{} minus {}",
    "negative": "minus {}",
    "times": "{} times {}",
    "dot": "{} dot {}",
    "hadamard": "{} times, element by element, {}",
    "quotient": "{} over {}",
    "fraction": "the fraction {} over {}, end of fraction,",
    "power": "{} to the power {}",
    "transpose": "{} transposed",
    "group": "open parenthesis {} close parenthesis",
    "root": "the square root of {}, end of root,",
    "norm": "the norm of {}",
    "absolute": "the absolute value of {}",
    "modulo": "{} modulo {}",
    "ceiling": "{} rounded up",
    "floor": "{} rounded down",
    "indicator": "1 if {}, else 0,",
    "from_to": "{} from {} to {}",
    "over": "{}",
    "such_that": "{1}",
    "before": "everything before {}",
    "number": "{}",
    "array": "{}",
}
REDUCTION_WORDS = {
    r"\sum": "the sum",
    r"\prod": "the product",
    r"\max": "the maximum",
    r"\min": "the minimum",
    r"\arg\max": "the index of the maximum",
    r"\arg\min": "the index of the minimum",
}
RELATION_WORDS = {"<": "less than", ">": "greater than", r"\le": "at most", r"\ge": "at least", r"\ne": "not equal to"}


def spoken_name(latex: str) -> str:
    r"""A name in words.

    >>> spoken_name(r"\theta_{t-1}"), spoken_name("W^{Q}"), spoken_name("v'")
    ('theta sub t minus 1', 'W super Q', 'v prime')
    """
    words = re.sub(r"\\frac\{\\partial (.*)\}\{\\partial (.*)\}", r"derivative of \1 with respect to \2", latex)
    words = re.sub(r"\\(hat|bar)\{(.*?)\}", r"\2 \1", words).replace(r"\mathrm", "").replace(r"\operatorname", "")
    for sign, word in {"_": " sub ", "^": " super ", "'": " prime", "-": " minus ", "+": " plus "}.items():
        words = words.replace(sign, word)
    return " ".join(re.sub(r"[\\{}]", " ", words).split())


def spoken(node: Any) -> str:
    """A node in words."""
    if not hasattr(node, "data"):
        return spoken_name(str(node))
    parts = [spoken(child) for child in node.children]
    if node.data == "array":
        return f"{parts[0]} sub {' '.join(parts[1:])}" if parts[1:] else parts[0]
    if node.data in ("call", "signature"):
        below = f" sub {' '.join(parts[2:])}" if parts[2:] else ""
        return f"{parts[0]} of {parts[1]}{below}"
    if node.data in ("arguments", "parameters", "cases"):
        return (", or " if node.data == "cases" else " and ").join(parts)
    if node.data == "case":
        return f"{parts[0]} if {parts[1]}" if parts[1:] else f"{parts[0]} otherwise"
    if node.data == "comparison":
        return " ".join(RELATION_WORDS.get(str(each), word) for each, word in zip(node.children, parts, strict=True))
    if node.data == "reduce":
        return f"{REDUCTION_WORDS[str(node.children[0])]} over {parts[1]} of {parts[2]}"
    return SPOKEN_FORMS[node.data].format(*parts)
