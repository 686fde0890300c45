"""All calls of an attempt with their results, and what a diagnosis can ask of them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from minigpt.learn.exercises.exercise import Exercise
from minigpt.learn.judge.compare import Call, as_numbers, close, is_array, quick_solution

#: What was returned and what is right, for each call.
Pairs = list[tuple[np.ndarray, np.ndarray]]
#: How many calls the equation itself confirms, where a quick solution has found something.
CONFIRMED = 4


@dataclass(frozen=True)
class Evidence:
    """The calls of an attempt, with their results.

    Args:
        exercise: what was asked for.
        trials: each call with what is right.
        got: what each call returned, an array for each result.
    """

    exercise: Exercise
    trials: tuple[Call, ...]
    got: tuple[tuple[np.ndarray, ...], ...]

    @cached_property
    def right(self) -> tuple[tuple[bool, ...], ...]:
        """For each call, which results are right."""
        return tuple(tuple(map(close, got, trial.expected)) for got, trial in zip(self.got, self.trials, strict=True))

    @cached_property
    def wrong_results(self) -> tuple[int, ...]:
        """The results that are wrong in some call, counted from 0; a list whose length varies is one result."""
        if self.is_list:
            return (0,)
        return tuple(k for k in range(len(self.trials[0].expected)) if not all(row[k] for row in self.right))

    @cached_property
    def is_list(self) -> bool:
        """Whether the number of results varies from call to call."""
        return len({len(trial.expected) for trial in self.trials}) > 1

    @cached_property
    def pairs(self) -> Pairs:
        """The arrays that are wrong in some call, each with the right one, over all calls."""
        return [
            (got[k].astype(np.float64), trial.expected[k].astype(np.float64))
            for got, trial in zip(self.got, self.trials, strict=True)
            for k in (range(len(got)) if self.is_list else self.wrong_results)
        ]

    @cached_property
    def wrong_first(self) -> tuple[int, ...]:
        """The numbers of the calls: the wrong ones, then the right ones, each from small to large."""
        large = [sum(a.size for a in trial.expected) for trial in self.trials]
        return tuple(sorted(range(len(self.trials)), key=lambda i: (all(self.right[i]), large[i])))

    def part(self, which: Sequence[bool]) -> "Evidence":
        """Some of the calls alone.

        Args:
            which: of each call, whether it is kept.
        """
        kept = [i for i, keep in enumerate(which) if keep]
        return Evidence(self.exercise, tuple(self.trials[i] for i in kept), tuple(self.got[i] for i in kept))

    @cached_property
    def finite(self) -> tuple[bool, ...]:
        """For each call, whether every result is finite."""
        return tuple(all(bool(np.isfinite(a.astype(np.float64)).all()) for a in got) for got in self.got)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the arguments."""
        return tuple(self.exercise.arguments)

    def sizes(self, trial: Call) -> Iterator[tuple[str, float]]:
        """The lengths and the plain numbers of a call, by the letters of the exercise.

        Args:
            trial: the call.
        """
        for (name, told), value in zip(self.exercise.arguments.items(), trial.arguments, strict=False):
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield name, float(value)
            elif is_array(value):
                axes = axis_letters(told)
                if axes and len(axes) <= value.ndim:
                    lengths = list(value.shape)[value.ndim - len(axes) :]
                    yield from zip(axes, map(float, lengths), strict=True)
            elif isinstance(value, list):
                yield f"len({name})", float(len(value))

    def named_sizes(self) -> list[dict[str, float]]:
        """Those of each call, the first of each letter; of a letter that isn't in all calls, nothing."""
        tables: list[dict[str, float]] = []
        for trial in self.trials:
            table: dict[str, float] = {}
            for name, length in self.sizes(trial):
                table.setdefault(name, length)
            tables.append(table)
        common = set.intersection(*map(set, tables))
        return [{name: length for name, length in table.items() if name in common} for table in tables]

    def holds(self, change: Callable[[Any], Any], after: Callable[[np.ndarray], np.ndarray] | None = None) -> bool:
        """Whether the results are those of other arguments, on all calls.

        Args:
            change: from the arguments of a call to others; it may raise.
            after: what is done with each result of the other arguments.
        """
        quick, equation = quick_solution(self.exercise), self.exercise.expected
        if not all(self._explains(change, after, place, quick) for place in self.wrong_first):
            return False
        confirmed = [self._explains(change, after, place, equation) for place in self.wrong_first[:CONFIRMED]]
        return True in confirmed and False not in confirmed

    def _explains(
        self,
        change: Callable[[Any], Any],
        after: Callable[[np.ndarray], np.ndarray] | None,
        place: int,
        right: Callable[..., Any],
    ) -> bool | None:
        """Whether the results of one call are the right ones of other arguments, wherever those are defined."""
        trial = self.trials[place]
        try:
            other = Call.of(right, change(trial.arguments)).expected
            other = tuple(map(after, other)) if after is not None else other
        except Exception:  # the equation may be undefined for other arguments
            return None
        return equal_results(self.got[place], other, self.wrong_results, is_list=self.is_list)


def equal_results(
    got: Sequence[np.ndarray], other: Sequence[np.ndarray], wrong: Sequence[int], *, is_list: bool
) -> bool:
    """Whether the wrong results of one call are these others.

    Args:
        got: what was returned.
        other: what they are compared with.
        wrong: the places of the wrong results.
        is_list: whether all results count, and how many there are.
    """
    if is_list:
        return len(got) == len(other) and all(map(close, got, other))
    return all(k < len(other) and close_where_defined(got[k], other[k]) for k in wrong)


def close_where_defined(got: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are close; where a whole row is undefined in the second one, the first may hold anything."""
    if got.shape != other.shape:
        return False
    rows = np.isnan(other.astype(np.float64))
    undefined = rows & rows.all(-1, keepdims=True) if rows.ndim > 1 else np.zeros_like(rows)
    if undefined.all() and other.size:
        return False
    return close(np.where(undefined, 0, got), np.where(undefined, 0, other))


def axis_letters(told: str) -> list[str]:
    """The letters of the axes in a description such as ``(..., T, E) float32``.

    Args:
        told: how the exercise describes an argument.
    """
    found = re.match(r"\(([^()]*)\)", told)
    letters = [part.strip() for part in found[1].split(",")] if found else []
    return [letter for letter in letters if letter and letter not in ("...", "…")]


def flat(array: np.ndarray) -> np.ndarray:
    """The numbers of an array, one after the other, as float64."""
    return as_numbers(array).astype(np.float64).reshape(-1)
