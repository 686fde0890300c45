"""Diagnoses from the formula on other inputs: the result is right for arguments that were exchanged or changed."""

from collections.abc import Callable, Iterator
from itertools import chain, combinations
from typing import Any

import numpy as np
import torch

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.compare import Diagnosis, is_array
from minigpt.learn.judge.diagnoses.changes import (
    FLOATS,
    IDS,
    INTS,
    MASKS,
    OF_LISTS,
    TENSORS,
    Change,
    reshaped_to_transpose,
    swapped_axes,
)
from minigpt.learn.judge.diagnoses.evidence import Evidence
from minigpt.learn.judge.diagnoses.layouts import said
from minigpt.learn.judge.diagnoses.patterns import in_halves, interleaved
from minigpt.learn.judge.diagnoses.results import OF_SIZE

Arguments = tuple[Any, ...]


def explained_by(evidence: Evidence) -> Iterator[Diagnosis]:
    """The changes of the arguments after which the formula gives what was returned.

    Args:
        evidence: all calls.
    """
    for id, kind, words, change in chain(exchanges(evidence), changes(evidence), jointly(evidence), scalings(evidence)):
        if evidence.holds(change):
            en = f"The result is what the formula gives {words.en}."
            yield Diagnosis(f"generic.{id}", kind, Words(en, f"结果等于{words.zh}时公式给出的值。"))
    yield from throughout(evidence)


#: What is done with an argument, and undone with the result: kind, in words, and both.
THROUGHOUT: tuple[tuple[str, Words, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    ("transposed", Words("rows and columns of {} taken for each other", "把 {} 的行与列互换使用"),
     lambda x: np.swapaxes(x, -1, -2), lambda y: np.swapaxes(y, -1, -2)),
    ("layout", Words("entries of {} paired with those half an axis away", "把 {} 的各项与相隔半个轴的项配对"),
     interleaved, in_halves),
    ("layout", Words("neighbours in {} taken for entries of two halves", "把 {} 中相邻的项当作前后两半的项"),
     in_halves, interleaved),
)  # fmt: skip


def throughout(evidence: Evidence) -> Iterator[Diagnosis]:
    """An argument arranged in another way, and the result arranged back.

    Args:
        evidence: all calls.
    """
    for i, name in enumerate(evidence.names):
        value = evidence.trials[0].arguments[i]
        if not (isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim):
            continue
        for kind, words, before, after in THROUGHOUT:
            if evidence.holds(changed(i, of_array(before)), after):
                en, zh = words.en.format(name), words.zh.format(name)
                yield said("arranged", kind, f"The result is that of {en}.", f"结果相当于{zh}。")


def of_array(make: Callable[[np.ndarray], np.ndarray]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of arrays for tensors."""
    return lambda x: torch.as_tensor(make(x.numpy()).copy())


def alike(one: Any, other: Any) -> bool:
    """Whether one argument may be given in the place of another."""
    if is_array(one) and is_array(other):
        return bool(one.dtype == other.dtype and one.ndim == other.ndim and one.shape == other.shape)
    return type(one) is type(other) and (isinstance(one, list | int | float) or callable(one))


def exchanges(evidence: Evidence) -> Iterator[Change]:
    """Two arguments exchanged, or one used in the place of another."""
    names, first = evidence.names, evidence.trials
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            if i == j or not all(alike(t.arguments[i], t.arguments[j]) for t in first):
                continue
            if i < j:
                yield (
                    "exchanged",
                    "order",
                    Words(f"with {one} and {other} exchanged", f" {one} 与 {other} 互换"),
                    picked({i: j, j: i}),
                )
            yield (
                "replaced",
                "wrong-operand",
                Words(f"with {other} in the place of {one}", f"用 {other} 代替 {one} "),
                picked({i: j}),
            )


def changes(evidence: Evidence) -> Iterator[Change]:
    """One argument changed."""
    for i, name in enumerate(evidence.names):
        for id, kind, words, change in of_value(evidence.trials[0].arguments[i]):
            yield (
                id,
                kind,
                Words(words.en.format(name), words.zh.format(name)),
                changed(i, change),
            )


def jointly(evidence: Evidence) -> Iterator[Change]:
    """Several matrices transposed, or reshaped, at once."""
    first = evidence.trials[0].arguments
    places = [i for i, value in enumerate(first) if isinstance(value, torch.Tensor) and value.ndim == 2]
    for n in range(2, len(places) + 1):
        for some in combinations(places, n):
            names = ", ".join(evidence.names[i] for i in some)
            for id, kind, en, zh, make in (
                ("transposed-argument", "transposed", "transposed", "都转置", swapped_axes),
                ("reshaped-argument", "layout", "reshaped where they should be transposed",
                 "都变形（reshape）而不是转置", reshaped_to_transpose),
            ):  # fmt: skip
                yield id, kind, Words(f"with {names} {en}", f"把 {names} {zh}"), changed_together(some, make)


def changed_together(places: tuple[int, ...], make: Callable[[Any], Any]) -> Callable[[Arguments], Arguments]:
    """From arguments to others, several of them changed in one way."""
    return lambda a: tuple(make(value) if k in places else value for k, value in enumerate(a))


def of_value(value: Any) -> Iterator[Change]:
    """The changes of a value that are tried, by what it is."""
    if isinstance(value, torch.Tensor):
        yield from MASKS if value.dtype == torch.bool else TENSORS if value.is_floating_point() else IDS
    elif isinstance(value, float):
        yield from FLOATS
    elif isinstance(value, int):
        yield from INTS
    elif isinstance(value, list):
        yield from OF_LISTS
        if value and isinstance(value[0], torch.Tensor):
            yield from ((id, kind, words, of_each(change)) for id, kind, words, change in TENSORS[:3])
    elif callable(value):
        yield "left-out", "missing", Words("without {}", "不使用 {} "), lambda f: lambda x: x


def picked(places: dict[int, int]) -> Callable[[Arguments], Arguments]:
    """From arguments to others, some of them taken from other places."""
    return lambda a: tuple(a[places.get(k, k)] for k in range(len(a)))


def changed(place: int, change: Callable[[Any], Any]) -> Callable[[Arguments], Arguments]:
    """From arguments to others, one of them changed."""
    return lambda a: (*a[:place], change(a[place]), *a[place + 1 :])


def of_each(change: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    """The change of each item of a list."""
    return lambda items: [change(item) for item in items]


def scalings(evidence: Evidence) -> Iterator[Change]:
    """One argument multiplied by something that follows from a size."""
    tables = evidence.named_sizes()
    for i, name in enumerate(evidence.names):
        if not all(is_real(t.arguments[i]) for t in evidence.trials):
            continue
        for letter in tables[0]:
            for form, of in OF_SIZE.items():
                scale = form.replace("{}", letter)
                scales = values_of(of, [table[letter] for table in tables])
                if letter != name and scales:
                    yield (
                        "scaled-argument",
                        "scale",
                        Words(f"when {name} is multiplied by {scale}", f"把 {name} 乘以 {scale} "),
                        scaled(i, {id(t.arguments): s for t, s in zip(evidence.trials, scales, strict=True)}),
                    )


def values_of(of: Callable[[float], float], sizes: list[float]) -> list[float]:
    """A function of each size; nothing if it is undefined for one of them."""
    try:
        return [of(size) for size in sizes]
    except (ZeroDivisionError, ValueError):
        return []


def scaled(place: int, scales: dict[int, float]) -> Callable[[Arguments], Arguments]:
    """From the arguments of a trial to others, one of them multiplied by the scale of that trial."""
    return lambda a: (*a[:place], a[place] * scales[id(a)], *a[place + 1 :])


def is_real(value: Any) -> bool:
    """Whether a value is a real number, or an array of them."""
    return isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point())
