"""What a place of an input changes and should not, and what it should change and does not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Call, Diagnosis, differing, numbers, quick_solution
from minigpt.learn.judge.diagnoses.evidence import Evidence
from minigpt.learn.judge.diagnoses.layouts import said

#: The results of one call.
Outcomes = Sequence[np.ndarray]


@dataclass(frozen=True)
class Probe:
    """A call with one place of one argument changed.

    Args:
        told: the place, in the notation of Python.
        name: of the argument.
        arguments: of the call.
        axis: of the argument.
        place: along that axis.
        n_axes: of the argument.
    """

    told: str
    name: str
    arguments: tuple[Any, ...]
    axis: int
    place: int
    n_axes: int


def leaks(evidence: Evidence, submission: Submission, call: Call) -> Iterator[Diagnosis]:
    """Places of an argument that change a part of the result that they don't change in the formula.

    Args:
        evidence: all calls.
        submission: is called again.
        call: whose arguments are changed.
    """
    probes, quick = list(probes_of(evidence.names, call)), quick_solution(evidence.exercise)
    outcomes = submission.outcomes([call.arguments, *(probe.arguments for probe in probes)])
    got = numbers(outcomes[0].result, call) if len(outcomes) == len(probes) + 1 else None
    if got is None:
        return
    for probe, outcome in zip(probes, outcomes[1:], strict=True):
        found = numbers(outcome.result, call)
        if found is None or not _moved(probe, got, found, call, quick):
            continue
        if diagnosis := _moved(probe, got, found, call, evidence.exercise.expected):  # the equation decides
            same = [each for each in probes if (each.name, each.axis) == (probe.name, probe.axis)]
            kind = diagnosis.kind
            if kind == "axis" and any(mixing(each, call, quick) for each in same):
                kind = "mask"
            yield replace(diagnosis, kind=kind)
            return


def mixing(probe: Probe, call: Call, right: Callable[..., Any]) -> bool:
    """Whether the formula lets a place act on other places.

    Args:
        probe: whose place is changed.
        call: before the change.
        right: gives the right results.
    """
    both = [Call.of(right, arguments).expected for arguments in (call.arguments, probe.arguments)]
    pairs = [(r, o) for r, o in zip(*both, strict=True) if r.shape == o.shape]
    return any(elsewhere(~np.isclose(r, o, 1e-6, 1e-9), probe).any() for r, o in pairs)


def _moved(probe: Probe, got: Outcomes, found: Outcomes, call: Call, right: Callable[..., Any]) -> Diagnosis | None:
    """What a changed place changes and should not, or the other way round."""
    try:
        before, after = (Call.of(right, arguments).expected for arguments in (call.arguments, probe.arguments))
    except Exception:  # the equation may be undefined there
        return None
    for g, f, r, o in zip(got, found, before, after, strict=False):
        if not (g.shape == f.shape == r.shape == o.shape):
            continue
        moves = ~np.isclose(g.astype(float), f.astype(float), rtol=1e-3, atol=1e-4, equal_nan=True)
        leaking = moves & (r == o)
        if leaking.any():
            at, zh = first_place(leaking)
            en = f"Changing {probe.told} changes the result{at}; in the formula it does not."
            kind = "axis" if elsewhere(leaking, probe).any() else ""
            return said("leak", kind, en, f"改变 {probe.told} 会影响结果{zh}，而按公式不应影响。")
        blind = ~np.isclose(r.astype(float), o.astype(float), rtol=1e-2, atol=1e-3, equal_nan=True) & (g == f)
        if blind.any() and moves.any() and _partly_right(g, r):
            at, zh = first_place(blind)
            en = f"Changing {probe.told} does not change the result{at}; in the formula it does."
            kind = "mask" if elsewhere(blind, probe).any() else "missing"
            return said("blind", kind, en, f"改变 {probe.told} 不影响结果{zh}，而按公式应当影响。")
    return None


def elsewhere(which: np.ndarray, probe: Probe) -> np.ndarray:
    """Of some entries of a result, those that are not at the place that was changed, along its axis.

    Args:
        which: the entries.
        probe: whose place was changed.
    """
    if which.ndim != probe.n_axes:
        return np.zeros_like(which)
    other = np.moveaxis(which.copy(), probe.axis, 0)
    other[probe.place : probe.place + 1] = False
    return np.moveaxis(other, 0, probe.axis)


def _partly_right(got: np.ndarray, right: np.ndarray) -> bool:
    """Whether a part of a result is right: what is missing is missing elsewhere."""
    return not differing(got, right).all()


def first_place(which: np.ndarray) -> tuple[str, str]:
    """The first place that is true, in English and in Chinese."""
    where = [int(i) for i in np.argwhere(which)[0]]
    return (f" at {where}", f"（位置 {where}）") if where else ("", "")


def probes_of(names: Sequence[str], call: Call) -> Iterator[Probe]:
    """Arguments that are changed at the first or the last place of an axis.

    Args:
        names: of the arguments.
        call: the arguments.
    """
    for i, (name, value) in enumerate(zip(names, call.arguments, strict=False)):
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not value.numel():
            continue
        bump = 0.5 + torch.arange(value.numel()).reshape(value.shape) % 3 * 0.3
        for axis in range(value.ndim):
            for at in sorted({0, value.shape[axis] - 1}) if value.shape[axis] > 1 else ():
                index = [slice(None)] * value.ndim
                index[axis] = slice(at, at + 1)
                changed = value.clone()
                changed[tuple(index)] += bump[tuple(index)].to(value)
                told = f"{name}[{', '.join([':'] * axis + [str(at)])}]"
                arguments = (*call.arguments[:i], changed, *call.arguments[i + 1 :])
                yield Probe(told, name, arguments, axis, at, value.ndim)
