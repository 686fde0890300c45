"""Diagnoses from further calls, and from which calls are right: what the result depends on, and where it is right."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Call, Diagnosis, close, numbers, quick_solution
from minigpt.learn.judge.diagnoses.evidence import Evidence
from minigpt.learn.judge.diagnoses.layouts import said


def where_right(evidence: Evidence) -> Iterator[Diagnosis]:
    """What tells the right calls from the wrong ones, and the right entries from the wrong ones."""
    right = [all(row) for row in evidence.right]
    if sum(right) >= 2 and right.count(False) >= 2:
        yield from _switches(evidence, right)
    yield from (diagnosis for diagnosis in borders(evidence) if diagnosis.id == "generic.border")


def _switches(evidence: Evidence, right: list[bool]) -> Iterator[Diagnosis]:
    """A number or a size that decides whether a call is right."""
    tables = evidence.named_sizes()
    names = list(tables[0])
    for name in names:
        for value in (0.0, 1.0):
            if [table[name] == value for table in tables] == right:
                yield said(
                    "neutral-only",
                    "missing" if name in evidence.names else "",
                    f"Right only where {name} = {value:g}; in all other calls it is wrong.",
                    f"只有在 {name} = {value:g} 时才正确，其他情况都不对。",
                )
    for one in names:
        for other in names:
            if one < other and [table[one] == table[other] for table in tables] == right:
                yield said(
                    "equal-sizes-only",
                    "axis",
                    f"Right only where {one} = {other}: one is used where the formula has the other.",
                    f"只有在 {one} = {other} 时才正确：公式要求其中一个的地方用了另一个。",
                )
            elif one != other and {one, other} <= set(evidence.names):
                yield from _branches(one, other, tables, right)


def _branches(one: str, other: str, tables: list[dict[str, float]], right: list[bool]) -> Iterator[Diagnosis]:
    """An order of two arguments that decides whether a call is right."""
    for sign, holds in (("<", operator.lt), ("≤", operator.le)):
        if [holds(table[one], table[other]) for table in tables] == right:
            yield said(
                "branch",
                "border",
                f"Right where {one} {sign} {other}, and wrong in all other calls.",
                f"在 {one} {sign} {other} 时正确，其他情况都不对。",
            )


def borders(evidence: Evidence) -> Iterator[Diagnosis]:
    """Entries that are right only, or wrong only, at the border of an axis."""
    pairs = [(g, r) for g, r in evidence.pairs if g.shape == r.shape and not close(g, r)]
    if not pairs or len(pairs) < sum(not close(g, r) for g, r in evidence.pairs):
        return
    for axis, en, zh in ((-2, "row", "行"), (-1, "column", "列"), (-1, "entry", "项")):
        flat = en == "entry"
        if any((r.ndim != 1) if flat else (r.ndim < 2) for _, r in pairs) or all(r.shape[axis] < 2 for _, r in pairs):
            continue
        wrong = [_wrong_along(g, r, axis) for g, r in pairs]
        for place, name, zhong in ((0, "first", "第一"), (-1, "last", "最后一")):
            if all(w[place] and not np.delete(w, place).any() for w in wrong):
                yield said("border", "border", f"Only the {name} {en} is wrong.", f"只有{zhong}{zh}不对。")
            if all(not w[place] and (len(w) == 1 or np.delete(w, place).all()) for w in wrong if len(w) > 1) and any(
                len(w) > 2 for w in wrong
            ):
                yield said(f"{name}-only", "border", f"Only the {name} {en} is right.", f"只有{zhong}{zh}是正确的。")


def _wrong_along(got: np.ndarray, right: np.ndarray, axis: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        wrong = ~np.isclose(got, right, rtol=1e-4, atol=1e-5, equal_nan=True)
    moved = np.moveaxis(wrong, axis, 0)
    return moved.reshape(len(moved), -1).any(1)


def precision(evidence: Evidence) -> Iterator[Diagnosis]:
    """Overflow for large inputs, and a small error everywhere."""
    pairs = evidence.pairs
    if any(g.shape != r.shape for g, r in pairs):
        return
    broken = [~np.isfinite(g) & np.isfinite(r) for g, r in pairs]
    if any(b.any() for b in broken) and all(
        close(np.where(b, r, g), r) for (g, r), b in zip(pairs, broken, strict=True)
    ):
        yield said(
            "overflow",
            "unstable",
            "Right wherever the result is finite, but large or extreme inputs give NaN or inf: the numbers overflow.",
            "结果有限时都正确，但遇到很大或极端的输入会得到 NaN 或 inf：数值溢出了。",
        )
    with np.errstate(all="ignore"):
        off = max((float(np.max(np.abs(g - r) / (np.abs(r) + 1e-3), initial=0)) for g, r in pairs), default=1.0)
    if off < 0.02:
        yield said(
            "nearly",
            "",
            f"Every value is within {max(off, 1e-4):.1g} of the right one, relatively: "
            "a small term, or the precision of the numbers, is different.",
            f"每个值与正确值的相对误差都在 {max(off, 1e-4):.1g} 以内：某个小项或数值精度不同。",
        )


def dependences(evidence: Evidence, submission: Submission) -> Iterator[Diagnosis]:
    """What the result depends on, and should not, and the other way round; the function is called again.

    Args:
        evidence: all calls.
        submission: the function.
    """
    exercise = evidence.exercise
    largest = max(range(len(evidence.trials)), key=lambda i: sum(a.size for a in evidence.trials[i].expected))
    for i, name in enumerate(evidence.names):
        pairs = [
            (c.arguments, (*c.arguments[:i], other, *c.arguments[i + 1 :]))
            for c in evidence.trials
            if (other := replaced(c.arguments[i])) is not None
        ]
        calls = [call for pair in pairs for call in pair]
        outcomes = submission.outcomes(calls)
        if not pairs or len(outcomes) < len(calls):
            continue
        found = [numbers(o.result, evidence.trials[0]) for o in outcomes]
        try:
            right = [Call.of(quick_solution(exercise), call).expected for call in calls]
        except Exception:  # the equation may be undefined there
            continue
        if all(_same(a, b) for a, b in pairwise(found)) and not all(_same(a, b) for a, b in pairwise(right)):
            yield said("independent", "missing", f"The result does not depend on {name}.", f"结果与 {name} 无关。")
    yield from _leaks(evidence, submission, evidence.trials[largest])


def pairwise(items: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each item of an even place with the one after it."""
    return list(zip(items[::2], items[1::2], strict=True))


def replaced(value: Any) -> Any:
    """Another value of the same kind and size; ``None`` if there is no obvious one."""
    if isinstance(value, float):
        return value * 0.7 + 0.05
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
        noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        return (value + noise.abs() / 2).to(value.dtype)
    return None


def _same(one: Any, other: Any) -> bool:
    return one is not None and other is not None and len(one) == len(other) and all(map(_identical, one, other))


def _identical(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-7, atol=1e-9, equal_nan=True))


def _leaks(evidence: Evidence, submission: Submission, call: Call) -> Iterator[Diagnosis]:
    """Places of an argument that change a part of the result that they don't change in the formula."""
    probes = list(_probes(evidence, call))
    outcomes = submission.outcomes([call.arguments, *(arguments for _, arguments in probes)])
    if len(outcomes) < len(probes) + 1:
        return
    got = numbers(outcomes[0].result, call)
    for (told, arguments), outcome in zip(probes, outcomes[1:], strict=True):
        try:
            other = Call.of(evidence.exercise.expected, arguments)
        except Exception:  # the equation may be undefined there
            continue
        found = numbers(outcome.result, other)
        if found is None or got is None or len(found) != len(got) or len(got) != len(other.expected):
            continue
        for g, f, r, o in zip(got, found, call.expected, other.expected, strict=True):
            if not (g.shape == f.shape == r.shape == o.shape):
                continue
            moves = ~np.isclose(g.astype(float), f.astype(float), rtol=1e-3, atol=1e-4, equal_nan=True)
            if (moves & (r == o)).any():
                at, zh = first_place(moves & (r == o))
                en = f"Changing {told} changes the result{at}; in the formula it does not."
                yield said("leak", "mask", en, f"改变 {told} 会影响结果{zh}，而按公式不应影响。")
                return
            blind = ~np.isclose(r.astype(float), o.astype(float), rtol=1e-2, atol=1e-3, equal_nan=True) & (g == f)
            if blind.any() and moves.any() and _partly_right(g, r):
                at, zh = first_place(blind)
                en = f"Changing {told} does not change the result{at}; in the formula it does."
                yield said("blind", "mask", en, f"改变 {told} 不影响结果{zh}，而按公式应当影响。")
                return


def _partly_right(got: np.ndarray, right: np.ndarray) -> bool:
    """Whether a part of a result is right: what is missing is missing elsewhere."""
    return bool(np.isclose(got.astype(float), right.astype(float), rtol=1e-4, atol=1e-5).any())


def first_place(which: np.ndarray) -> tuple[str, str]:
    """The first place that is true, in English and in Chinese."""
    where = [int(i) for i in np.argwhere(which)[0]]
    return (f" at {where}", f"（位置 {where}）") if where else ("", "")


def _probes(evidence: Evidence, call: Call) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Arguments that are changed at the first or the last place of an axis."""
    for i, name in enumerate(evidence.names):
        value = call.arguments[i]
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not value.numel():
            continue
        bump = 0.5 + torch.arange(value.numel()).reshape(value.shape) % 3 * 0.3
        for axis in range(value.ndim):
            for at in {0, value.shape[axis] - 1} if value.shape[axis] > 1 else ():
                index = [slice(None)] * value.ndim
                index[axis] = slice(at, at + 1)
                changed = value.clone()
                changed[tuple(index)] += bump[tuple(index)].to(value)
                told = f"{name}[{', '.join([':'] * axis + [str(at)])}]"
                yield told, (*call.arguments[:i], changed, *call.arguments[i + 1 :])
