"""What is too large to be explored, found before anything is evaluated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigpt.equations.board import plain_name
from minigpt.equations.errors import quantity
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.parse import Node, names_in

#: Values that a page holds, and numbers of one symbol that it shows: enough for a formula on a screen.
MAX_STATES, MAX_NUMBERS = 4000, 64
SMALLER = "take smaller inputs, with sizes of 2 to 4"

Letters = Mapping[str, int]


def refuse_large(evaluation: Evaluator) -> None:
    """Refuse values of which a page would hold too many: given ones, those of a row, and terms of sums.

    Args:
        evaluation: with the values given.

    Raises:
        EquationError: for sizes that disagree or are not known.
        ValueError: if there is too much to show; the message says what is too large, and the limit.
    """
    for name, value in evaluation.given.items():
        if not callable(value):
            refuse_array(name, value)
    n_states = 0
    for row in (row for same in evaluation.document.rows.values() for row in same):
        if any(p not in evaluation.given for p in row.parameters):
            continue
        spans = [range(1, evaluation.sizes.extent(letter, row.tree, {}) + 1) for letter in row.letters]
        shape = tuple(map(len, spans))
        if math.prod(shape) > MAX_NUMBERS:
            refuse_array(row.name, np.broadcast_to(0.0, shape))
        scopes = [dict(zip(row.letters, numbers, strict=True)) for numbers in product_of(spans)]
        n_states = _counted(evaluation, row.body, scopes, n_states)


def _counted(evaluation: Evaluator, node: Node, scopes: Sequence[Letters], n_states: int) -> int:
    """The terms of the sums below a node, added to those before it."""
    if not hasattr(node, "data"):
        return n_states
    if node.data == "reduce":
        inside: list[Letters] = []
        for scope in keyed_scopes(node, scopes)[1].values():
            for inner in evaluation.sizes.scopes(node, scope):
                inside.append(inner)
                refuse_states(n_states + len(inside))
        return _counted(evaluation, node.children[2], inside, n_states + len(inside))
    if node.data == "cases":
        for case in node.children:
            chosen = [scope for scope in scopes if evaluation.case(node, scope) is case.children[0]]
            n_states = _counted(evaluation, case.children[0], chosen, n_states)
        return n_states
    for child in node.children:
        n_states = _counted(evaluation, child, scopes, n_states)
    return n_states


def refuse_states(n_states: int) -> None:
    """Refuse more values than a page holds.

    Args:
        n_states: values and terms of sums found so far.
    """
    if n_states > MAX_STATES:
        raise ValueError(f"more than {MAX_STATES:,} values to explore: {SMALLER}")


def refuse_array(name: str, value: Any) -> None:
    """Refuse an array of more numbers than are shown of one symbol.

    Args:
        name: of the symbol.
        value: its numbers.
    """
    if (size := np.size(value)) > MAX_NUMBERS:
        shown = f"{plain_name(name)} has {quantity(size, 'number')}, shape {np.shape(value)}"
        raise ValueError(f"{shown}; explore shows at most {MAX_NUMBERS} of a symbol: {SMALLER}")


def keyed_scopes(node: Node, scopes: Sequence[Letters]) -> tuple[list[str], dict[str, Letters]]:
    """The letters that a node uses, and one scope for each combination of their values.

    Args:
        node: a symbol or a sum.
        scopes: the values of all letters that are bound around it.
    """
    names = set(map(str, names_in(node)))
    letters = [letter for letter in (scopes[0] if scopes else {}) if letter in names]
    return letters, {",".join(str(scope[letter]) for letter in letters): scope for scope in reversed(scopes)}


def product_of(spans: Sequence[range]) -> list[tuple[int, ...]]:
    """All combinations of one number from each range, the last one running fastest.

    >>> product_of([range(1, 3), range(5, 7)])
    [(1, 5), (1, 6), (2, 5), (2, 6)]
    """
    found: list[tuple[int, ...]] = [()]
    for span in spans:
        found = [(*each, value) for each in found for value in span]
    return found
