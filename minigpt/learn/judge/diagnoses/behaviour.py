"""Diagnoses from further calls, and from which calls are right: what the result depends on, and where it is right."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Call, Diagnosis, close, differing, numbers, quick_solution
from minigpt.learn.judge.diagnoses.evidence import Evidence
from minigpt.learn.judge.diagnoses.layouts import said
from minigpt.learn.judge.diagnoses.leaks import leaks


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
                    "",
                    f"Right only where {name} = {value:g}; in all other calls it is wrong.",
                    f"只有在 {name} = {value:g} 时才正确，其他情况都不对。",
                )
    for one in names:
        for other in names:
            if one < other and [table[one] == table[other] for table in tables] == right:
                yield said(
                    "equal-sizes-only",
                    "",
                    f"Right only where {one} = {other}; in all other calls it is wrong.",
                    f"只有在 {one} = {other} 时才正确，其他情况都不对。",
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
            whole = all(g.ndim < -axis or g.shape[axis] < 2 or not close(g, r) for g, r in evidence.pairs)
            if (
                whole
                and any(len(w) > 2 for w in wrong)
                and all(not w[place] and np.delete(w, place).all() for w in wrong)
            ):
                yield said(f"{name}-only", "border", f"Only the {name} {en} is right.", f"只有{zhong}{zh}是正确的。")


def _wrong_along(got: np.ndarray, right: np.ndarray, axis: int) -> np.ndarray:
    moved = np.moveaxis(differing(got, right), axis, 0)
    return np.asarray(moved.reshape(len(moved), -1).any(1))


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
    yield from leaks(evidence, submission, evidence.trials[largest])


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
