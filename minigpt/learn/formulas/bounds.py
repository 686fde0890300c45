r"""Where a sum of a wrong formula begins or ends: the one bound that makes the formula right if it is changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.formulas.functions import FormulaAnswer
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Call, fault, overflows
from minigpt.learn.judge.judge import Judgement, trials

#: Changed formulas that are evaluated at most, and calls on which one is tried before it is judged.
_MAX_CHANGED, _N_TRIED = 40, 4
_BOUNDS = re.compile(
    r"(?P<sign>\\(?:sum|prod))\s*_\s*\{\s*(?P<letter>[a-z])\s*=\s*(?P<lower>[^{}]*?)\s*\}"
    r"\s*\^\s*(?:\{\s*(?P<upper>[^{}]*?)\s*\}|(?P<one>\w))"
)
_LOWER = Words(
    "The lower bound differs: your {sign} over {letter} begins at {yours}; if it begins at {right}, the formula is "
    "right.",
    "下界不同：你的{sign}中 {letter} 从 {yours} 开始；改为从 {right} 开始，公式就正确。",
)
_UPPER = Words(
    "The upper bound differs: your {sign} over {letter} ends at {yours}; if it ends at {right}, the formula is right.",
    "上界不同：你的{sign}中 {letter} 到 {yours} 为止；改为到 {right} 为止，公式就正确。",
)
_SIGNS = {r"\sum": Words("sum", "求和"), r"\prod": Words("product", "连乘")}


@dataclass(frozen=True)
class BoundSlip:
    """A bound of a sum that makes a formula wrong.

    Args:
        id: "formula.lower-bound" or "formula.upper-bound".
        kind: one of `MISTAKE_KINDS`.
        says: what is at the bound, and what should be there.
    """

    id: str
    kind: str
    says: Words


def wrong_bound(exercise: Exercise, answer: FormulaAnswer, seed: int = 0) -> BoundSlip | None:
    """The bound of a sum whose change makes a wrong formula right; nothing if no single one does.

    Args:
        exercise: what was asked for.
        answer: a wrong formula.
        seed: of the calls that decide.
    """
    calls = trials(exercise, seed)[:_N_TRIED]
    for latex, slip in islice(_changed(answer), _MAX_CHANGED):
        changed = replace(answer, latex=latex)
        if _may_be_right(changed, calls) and not Judgement(exercise, _submitted(changed), seed).fault:
            return slip
    return None


def _changed(answer: FormulaAnswer) -> Iterator[tuple[str, BoundSlip]]:
    """The formula with each bound moved by one, set to 1, or to a size that the exercise has."""
    symbols = answer.notation.symbols
    shapes = " ".join(told[: told.find(")")] for told in symbols.values())
    sizes = [*(name for name, told in symbols.items() if told.startswith("()")), *re.findall("[a-zA-Z]", shapes)]
    for found in _BOUNDS.finditer(answer.latex):
        for name, candidates in (("lower", ["1"]), ("upper", []), ("one", [])):
            bound = found[name]
            for other in dict.fromkeys([*candidates, *_stepped(bound), *sizes]) if bound else ():
                if other != bound:
                    yield _with(answer.latex, found, name, other)


def _stepped(bound: str) -> list[str]:
    """A bound moved by 1 either way.

    >>> _stepped("n"), _stepped("n - 1"), _stepped("2")
    (['n-1', 'n+1'], ['n'], ['1', '3'])
    """
    if bound.isdigit():
        return [str(int(bound) - 1), str(int(bound) + 1)]
    step = re.fullmatch(r"(.*\S)\s*[+-]\s*1", bound)
    return [step[1]] if step else [f"{bound}-1", f"{bound}+1"]


def _with(latex: str, found: re.Match[str], name: str, other: str) -> tuple[str, BoundSlip]:
    start, end = found.span(name)
    text = f"{{{other}}}" if name == "one" else other
    words, kind = _SIGNS[found["sign"]], _LOWER if name == "lower" else _UPPER
    parts = {"letter": found["letter"], "yours": found[name], "right": other}
    says = Words(kind.en.format(sign=words.en, **parts), kind.zh.format(sign=words.zh, **parts))
    identity = "formula.lower-bound" if name == "lower" else "formula.upper-bound"
    return latex[:start] + text + latex[end:], BoundSlip(identity, "border", says)


def _may_be_right(answer: FormulaAnswer, calls: tuple[Call, ...]) -> bool:
    for call in calls:
        outcome = _submitted(answer).outcomes([call.arguments])[0]
        if fault(outcome, call) and not overflows(outcome, call):
            return False
    return True


def _submitted(answer: FormulaAnswer) -> Submission:
    return Submission(answer, isolated=False, is_formula=True)
