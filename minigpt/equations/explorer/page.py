"""A formula that can be touched, as a piece of HTML that needs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from html import escape
from importlib.resources import files
from itertools import count
from typing import Any, Protocol

from minigpt.equations.board import Steps
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.explorer.mathml import Typesetter
from minigpt.equations.explorer.states import FormulaPart, States, in_words, part_label
from minigpt.equations.parse import Node

_numbers = count(1)


class _Explorable(Protocol):  # the part of an equation that is needed here
    @property
    def name(self) -> str: ...
    @property
    def where(self) -> Sequence[str]: ...
    @property
    def symbols(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, eq=False, repr=False)
class Exploration:
    """A formula with its values. A notebook shows it; elsewhere it is the steps of the evaluation, as text.

    Attributes:
        name: of the equation.
        rows: the formula and its definitions as MathML.
        spoken: the same in English words.
        data: what the page's script reads: the parts that can be touched, the ranges of the indices, the formula in
            Chinese words.
        steps: the evaluation as text.
    """

    name: str
    rows: tuple[str, ...]
    spoken: tuple[str, ...]
    data: Mapping[str, Any]
    steps: Steps

    def __str__(self) -> str:
        return str(self.steps)

    __repr__ = __str__

    @property
    def _introductions(self) -> list[str]:
        """What is before each row: that a definition is one."""
        n_definitions = self.data["definitions"]
        return [""] * (len(self.rows) - n_definitions) + ["<span>where</span>"] * n_definitions

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The formula with its script and style, as a piece of HTML that needs nothing else."""
        identity = f"mg-explore-{next(_numbers)}"
        rows = [
            f'<div class="mg-row" role="group" aria-label="{escape(words)}">{where}{math}</div>'
            for math, words, where in zip(self.rows, self.spoken, self._introductions, strict=True)
        ]
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
        body = (
            f'<div class="mg-explore" id="{identity}" role="group" aria-label="Explore {escape(self.name)}">'
            f'<div class="mg-rows">{"".join(rows)}</div>'
            '<div class="mg-indices" role="group" aria-label="Indices"></div>'
            '<p class="mg-result" aria-live="polite"></p><div class="mg-about" aria-live="polite"></div>'
            f'<script type="application/json">{data}</script></div>'
        )
        start = f'{_asset("explore.js")}\nmgExplore(document.getElementById("{identity}"));'
        return f"<style>{_asset('explore.css')}</style>{body}<script>{start}</script>"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def explored(equation: _Explorable, evaluation: Evaluator, steps: Steps) -> Exploration:
    """The rows of a formula with all values behind them.

    Args:
        equation: the formula.
        evaluation: with the values given.
        steps: the evaluation as text.

    Raises:
        EquationError: as `Equation.evaluate`.
        ValueError: if there is too much to show; the message says what is too large.
    """
    rows = list(evaluation.document.tree.children)
    states = States(evaluation, equation.symbols)
    for row in rows:
        states.row(row)

    def marks(node: Node) -> str:
        place = states.places.get(id(node))
        if place is None:
            return ""
        part = states.parts[place]
        kind = "sum" if part.terms else "symbol"  # no button: its name would have to be what it shows, "aij"
        said = f'role="group" aria-roledescription="{kind}" aria-label="{escape(part_label(part, "en"))}"'
        return f' class="mg-part" data-part="{place}" tabindex="-1" {said}'

    typesetter = Typesetter(marks)
    words = [in_words(row) for row in rows]
    data = {
        "parts": [_without_words(part) for part in states.parts],
        "ranges": states.ranges,
        "result": states.places.get(id(rows[0].children[0]), -1),
        "definitions": len(equation.where),
        "zh": {"rows": [row["zh"] for row in words], "parts": [part_label(part, "zh") for part in states.parts]},
    }
    english = tuple(row["en"] for row in words)
    return Exploration(equation.name, tuple(map(typesetter.math, rows)), english, data, steps)


def _without_words(part: FormulaPart) -> dict[str, Any]:
    return {key: value for key, value in asdict(part).items() if key != "spoken"}
