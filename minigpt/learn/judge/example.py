"""The smallest example on which a wrong result shows: small whole numbers, input and both results side by side."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from minigpt.learn.exercises.draw import ExerciseDraw, SmallDraw
from minigpt.learn.exercises.exercise import Exercise
from minigpt.learn.exercises.notes import result_names
from minigpt.learn.judge.attempts import Outcome
from minigpt.learn.judge.compare import Call, all_close, close, fault_of_arrays, is_array, quick_solution
from minigpt.learn.judge.found import Found
from minigpt.learn.judge.layout import Paragraph
from minigpt.learn.judge.places import first_difference, number_text
from minigpt.settings.language import Language, columns_of

#: How many seeds are drawn, and how many of the smallest draws are tried.
SEEDS, TRIED = 300, 48
#: How many of them have the same sizes: the smallest are often too small to show a mistake.
OF_A_SIZE = 6
#: A difference that a reader sees: absolute, and relative to the right value.
VISIBLE, VISIBLE_SHARE = 0.02, 0.05
#: The most numbers that an example may show.
MOST = 60
#: From a small call to what is returned for it, if that can be known.
Results = Callable[[Call], tuple[np.ndarray, ...] | None]


@dataclass(frozen=True)
class Example:
    """One small call, what the formula gives for it, and what was returned.

    Args:
        trial: the call.
        got: an array for each result.
        exercise: whose arguments and results it shows.
    """

    trial: Call
    got: tuple[np.ndarray, ...]
    exercise: Exercise

    def part(self, lang: Language) -> Paragraph:
        """The example as a block of text."""
        lines = [
            line
            for pair in zip(self.exercise.arguments, self.trial.arguments, strict=False)
            for line in of_argument(*pair)
        ]
        right, wrong = ("expected", "got") if lang == "en" else ("正确", "得到")
        pairs = list(zip(self.trial.expected, self.got, strict=True))
        for name, (expected, got) in zip(result_names(self.exercise.result, len(pairs), lang), pairs, strict=True):
            if len(pairs) > 1 and close(got, expected):
                lines.append(f"{name}: {array_text(expected)[0]} = {array_text(got)[0]}")
                continue
            lines += side_by_side(right, expected, wrong, got, f"{name}: " if len(pairs) > 1 else "")
        return Paragraph("\n".join(lines), is_block=True)

    def entry(self) -> tuple[int, tuple[int, ...], Any, Any] | None:
        """The first entry that differs: of which result, its index, what is right, and what was returned."""
        for k, (expected, got) in enumerate(zip(self.trial.expected, self.got, strict=True)):
            index = first_difference(got, expected) if got.shape == expected.shape else None
            if index is not None:
                return k, index, expected[index].item(), got[index].item()
        return None

    def outcome(self) -> tuple[Outcome, Call, str]:
        """The result as an outcome, the call, and what is wrong: for a sentence about what is shown."""
        arrays = tuple(Found("array", "float32", array) for array in self.got)
        result = Found("list", items=arrays) if self.trial.several else arrays[0]
        return Outcome(result=result), self.trial, fault_of_arrays(arrays, self.trial) or "values"


def smallest(exercise: Exercise, results: Results) -> Example | None:
    """The smallest call for which a result is visibly wrong; ``None`` if it is right for all small ones.

    Args:
        exercise: whose calls are drawn.
        results: what is returned for a call.
    """
    fallback = None
    for quick in small_trials(exercise):
        got = results(quick)
        if got is None or len(got) != len(quick.expected) or all(map(close, got, quick.expected)):
            continue
        if fallback is not None and not any(map(visibly_different, got, quick.expected)):
            continue
        trial = Call.of(exercise.expected, quick.arguments)
        if len(got) == len(trial.expected) and any(map(visibly_different, got, trial.expected)):
            return Example(trial, got, exercise)
        if fallback is None and not all_close(got, trial.expected):
            fallback = Example(trial, got, exercise)
    return fallback


def visibly_different(got: np.ndarray, expected: np.ndarray) -> bool:
    """Whether a reader sees a difference, in numbers of three digits."""
    if got.shape != expected.shape:
        return True
    with np.errstate(all="ignore"):
        off = np.abs(got.astype(float) - expected.astype(float)) > VISIBLE + VISIBLE_SHARE * np.abs(
            expected.astype(float)
        )
    return bool((off | (np.isnan(got.astype(float)) & ~np.isnan(expected.astype(float)))).any())


@lru_cache(maxsize=64)
def small_calls(draw: Callable[[ExerciseDraw], tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    """Small calls of an exercise, the smallest first.

    Args:
        draw: of the exercise.
    """
    calls = [draw(SmallDraw.seeded(seed, torch.float32)) for seed in range(SEEDS)]
    kept, counts = [], Counter[str]()
    for call in sorted(calls, key=lambda call: sum(map(weight, call))):
        sizes = str([sizes_of(value) for value in call])
        counts[sizes] += 1
        if counts[sizes] <= OF_A_SIZE:
            kept.append(call)
    return tuple(kept[:TRIED])


def sizes_of(value: Any) -> Any:
    """The shape of an array, the shapes in a list, and a whole number itself."""
    if is_array(value):
        return tuple(value.shape)
    if isinstance(value, list):
        return [sizes_of(item) if is_array(item) else 0 for item in value]
    return value if isinstance(value, int) else 0


@lru_cache(maxsize=4096)
def _small_trial(draw: Callable[[ExerciseDraw], tuple[Any, ...]], quick: Callable[..., Any], place: int) -> Call:
    return Call.of(quick, small_calls(draw)[place])


def small_trials(exercise: Exercise) -> Iterator[Call]:
    """The small calls with what a quick solution gives for them."""
    for place in range(len(small_calls(exercise.draw))):
        yield _small_trial(exercise.draw, quick_solution(exercise), place)


def weight(value: Any) -> float:
    """How much there is to read in an argument."""
    if is_array(value):
        return 1 + float(value.numel() if isinstance(value, torch.Tensor) else value.size) + abs_sum(value) / 1000
    if isinstance(value, list | tuple):
        return 1 + sum(map(weight, value))
    return 0.0 if callable(value) else min(abs(float(value)), 100.0) / 100


def abs_sum(value: Any) -> float:
    """The sum of the magnitudes, so that among equal sizes small numbers come first."""
    return float(np.nansum(np.abs(np.nan_to_num(np.asarray(value, dtype=np.float64), posinf=0, neginf=0))))


def of_argument(name: str, value: Any) -> list[str]:
    """The lines of one argument."""
    if callable(value):
        return []
    if isinstance(value, list) and any(map(is_array, value)):
        return [line for k, item in enumerate(value) for line in of_argument(f"{name}[{k}]", item)]
    rows = array_text(np.asarray(value)) if is_array(value) else [plain(value)]
    head = f"{name} = "
    return [(head if i == 0 else " " * len(head)) + row for i, row in enumerate(rows)]


def plain(value: Any) -> str:
    """A number, or a list of numbers."""
    if isinstance(value, list | tuple):
        opens, closes = ("[", "]") if isinstance(value, list) else ("(", ")")
        return opens + ", ".join(map(plain, value)) + closes
    return number_text(value) if isinstance(value, float) else str(value)


def array_text(array: np.ndarray) -> list[str]:
    """The rows of an array, to three digits; a large one is cut off."""
    array = np.asarray(array)
    if array.size > MOST:
        return [f"... {array.size}"]
    if array.ndim == 0:
        return [number_text(array.item())]
    if array.ndim == 1:
        return ["[" + ", ".join(number_text(x) for x in array) + "]"]
    rows = [row for part in array for row in array_text(part)] or [""]
    rows = [("[" if i == 0 else " ") + row for i, row in enumerate(rows)]
    return [*rows[:-1], rows[-1] + "]"]


def side_by_side(left: str, one: np.ndarray, right: str, other: np.ndarray, before: str) -> list[str]:
    """Two arrays beside each other, under their names; below each other where they are wide."""
    first, second = [before + left, *array_text(one)], [right, *array_text(other)]
    width = max(map(columns_of, first))
    if width + max(map(columns_of, second)) > 70:
        return [*first, *second]
    length = max(len(first), len(second))
    rows = zip(padded(first, length), padded(second, length), strict=True)
    return [(a + " " * (width - columns_of(a) + 4) + b).rstrip() for a, b in rows]


def padded(lines: Sequence[str], length: int) -> list[str]:
    """Lines, and empty ones up to a number."""
    return [*lines, *[""] * (length - len(lines))]
