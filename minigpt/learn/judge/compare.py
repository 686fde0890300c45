"""A result beside what the equation gives: structure, shape, dtype, NaN, then values in float64."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.judge import worker
from minigpt.learn.judge.attempts import Outcome
from minigpt.learn.judge.found import Found, decode

RELATIVE, ABSOLUTE = 1e-4, 1e-5
#: Dtypes with less than float32's precision.
COARSE = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "half")


@dataclass(frozen=True)
class Diagnosis:
    """What is true of a wrong result.

    Args:
        id: "generic." and a name.
        kind: one of `MISTAKE_KINDS`, or nothing.
        says: one or two sentences.
    """

    id: str
    kind: str
    says: Words


@dataclass(frozen=True)
class Call:
    """One call, and what the equation gives for it.

    Args:
        arguments: of the call.
        expected: an array for each result.
        several: whether a tuple or list of results is asked for.
    """

    arguments: tuple[Any, ...]
    expected: tuple[np.ndarray, ...]
    several: bool

    @classmethod
    def of(cls, expected: Callable[..., Any], arguments: tuple[Any, ...]) -> "Call":
        """The trial of these arguments, with what the equation gives for them."""
        wanted = expected(*arguments)
        several = isinstance(wanted, tuple) or (isinstance(wanted, list) and any(map(is_array, wanted)))
        return cls(arguments, tuple(map(as_numbers, wanted)) if several else (as_numbers(wanted),), several)


def quick_solution(exercise: Exercise) -> Callable[..., Any]:
    """A right answer for searches: the first solution, which is faster than the equation evaluated term by term.

    What is found with it is said only if the equation agrees.

    Args:
        exercise: whose solution.
    """
    return exercise.solutions[0] if exercise.solutions else exercise.expected


def is_array(value: Any) -> bool:
    """Whether a value is a tensor or an array."""
    return isinstance(value, torch.Tensor | np.ndarray)


def as_numbers(value: Any) -> np.ndarray:
    """A value as an array of float64, or of bool."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return array if array.dtype == bool else array.astype(np.float64)


def results(found: Found | None, trial: Call) -> tuple[Found, ...] | None:
    """The arrays in a result, as many as are asked for; ``None`` if its structure is different.

    Args:
        found: the result.
        trial: what is asked for.
    """
    if found is None:
        return None
    items: Sequence[Found | None] = [found.as_array()]
    if trial.several:
        items = [item.as_array() for item in found.items]
        if found.form == "array" and found.array.shape[:1] == (len(trial.expected),):
            items = [Found("array", found.dtype, row) for row in found.array]
    if len(items) != len(trial.expected) or any(item is None for item in items):
        return None
    return tuple(item for item in items if item is not None)


def numbers(found: Found | None, trial: Call) -> tuple[np.ndarray, ...] | None:
    """The results as arrays of float64 or bool, as those of `Call`; ``None`` if the structure is different."""
    arrays = results(found, trial)
    if arrays is None:
        return None
    return tuple(as_numbers(a.array if a.array.dtype.kind != "c" else np.abs(a.array)) for a in arrays)


def differing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two arrays of one shape differ by more than the tolerances; NaN equals NaN.

    Args:
        one: numbers or booleans.
        other: the same; the relative tolerance is of these.
    """
    with np.errstate(all="ignore"):
        return ~np.isclose(one.astype(np.float64), other.astype(np.float64), RELATIVE, ABSOLUTE, equal_nan=True)


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays have one shape and equal values, NaN included, within the tolerances."""
    return one.shape == other.shape and not differing(one, other).any()


def all_close(one: Sequence[np.ndarray] | None, other: Sequence[np.ndarray] | None) -> bool:
    """Whether several results are close, each to its own."""
    if one is None or other is None or len(one) != len(other):
        return False
    return all(map(close, one, other))


def agree(found: Sequence[np.ndarray] | None, wanted: Sequence[np.ndarray] | None, *, by_finite: bool = False) -> bool:
    """Whether results are close.

    Args:
        found: of an attempt.
        wanted: of a misconception.
        by_finite: whether an entry that is found to be NaN agrees with any.
    """
    if by_finite and found is not None and wanted is not None and len(found) == len(wanted):
        pairs = zip(found, wanted, strict=True)
        found = [np.where(np.isnan(f), w, f) if f.shape == w.shape else f for f, w in pairs]
    return all_close(found, wanted)


def wrong_entries(got: Sequence[Sequence[np.ndarray] | None], calls: Sequence[Call]) -> int:
    """The number of wrong entries that are not NaN."""
    pairs = [pair for g, t in zip(got, calls, strict=True) if g is not None for pair in zip(g, t.expected, strict=True)]
    return sum(int((differing(g, w) & ~np.isnan(g)).sum()) for g, w in pairs if g.shape == w.shape)


def fault(outcome: Outcome, trial: Call) -> str:
    """The first thing that is wrong with an outcome: its name, or nothing.

    Args:
        outcome: of one call.
        trial: the same call, and what is expected.
    """
    if outcome.failure:
        return outcome.failure
    found = outcome.result
    if found is None or found.form == "none" or (trial.several and any(item.form == "none" for item in found.items)):
        return "none"
    if found.form == "large":
        return "shape"
    arrays = results(found, trial)
    if arrays is None:
        return "ragged" if found.form == "list" and not trial.several else "structure"
    return fault_of_arrays(arrays, trial) or _fault_of_call(outcome, trial) or _fault_of_values(arrays, trial)


def fault_of_arrays(arrays: tuple[Found, ...], trial: Call) -> str:
    """What is wrong with results before their values are compared: shape, dtype or NaN; or nothing.

    Args:
        arrays: the results.
        trial: the call, and what is expected.
    """
    for item, wanted in zip(arrays, trial.expected, strict=True):
        if item.array.shape != wanted.shape:
            return "shape"
        is_bool = item.array.dtype == bool
        if item.dtype in COARSE or item.array.dtype.kind == "c" or (wanted.size and is_bool != (wanted.dtype == bool)):
            return "dtype"
    for item, wanted in zip(arrays, trial.expected, strict=True):
        if np.isnan(item.array.astype(np.float64)).any() and not np.isnan(wanted.astype(np.float64)).any():
            return "nan"
    return ""


def overflows(outcome: Outcome, trial: Call) -> bool:
    """Whether a result is right but for entries that are not finite, where those of the right one are.

    Args:
        outcome: of one call.
        trial: the same call, and what is expected.
    """
    found = numbers(outcome.result, trial)
    if found is None or any(g.shape != r.shape for g, r in zip(found, trial.expected, strict=True)):
        return False
    broken = [~np.isfinite(g) & np.isfinite(r) for g, r in zip(found, trial.expected, strict=True)]
    return any(b.any() for b in broken) and all(
        close(np.where(b, r, g), r) for b, g, r in zip(broken, found, trial.expected, strict=True)
    )


def unchanged(outcome: Outcome, trial: Call) -> list[bool]:
    """For each argument, whether it is after the call what it was before."""
    before = [decode(worker.encode(argument)) for argument in trial.arguments]
    if len(before) != len(outcome.arguments):
        return [False] * len(before)
    return list(map(_equal, before, outcome.arguments))


def _fault_of_call(outcome: Outcome, trial: Call) -> str:
    if not all(unchanged(outcome, trial)):
        return "changed"
    return "random" if outcome.again is not None and not _alike(outcome.result, outcome.again, trial) else ""


def _fault_of_values(arrays: tuple[Found, ...], trial: Call) -> str:
    right = all_close([as_numbers(item.array) for item in arrays], trial.expected)
    return "" if right else "values"


def _equal(one: Found, other: Found) -> bool:
    if one.form != other.form or one.array.shape != other.array.shape or len(one.items) != len(other.items):
        return False
    return np.array_equal(one.array, other.array, equal_nan=one.array.dtype.kind in "fc") and all(
        map(_equal, one.items, other.items)
    )


def _alike(one: Found | None, other: Found, trial: Call) -> bool:
    return all_close(numbers(one, trial), numbers(other, trial))
