"""Where a result is wrong: its name, its index, and what is there in place of the right value."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.learn.judge.compare import COARSE, Call, as_numbers, differing, results
from minigpt.learn.judge.found import Found
from minigpt.settings.language import Language


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape, "()" of a number."""
    return str(tuple(int(n) for n in shape))


def number_text(value: float) -> str:
    """A number to three digits; a whole one as it is."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    number = float(value) + 0.0
    if abs(number) < 1e6 and (number == round(number) or abs(number) >= 1000):
        return f"{number:.0f}"
    return f"{number:.3g}"


def result_called(name: str, lang: Language) -> str:
    """A result by its name, or by its number where it has none."""
    if not name.isdigit():
        return name
    return f"result {name}" if lang == "en" else f"第 {name} 个结果"


def entry_details(
    found: Found | None, trial: Call, name: str, lang: Language, names: Sequence[str] = ("",)
) -> dict[str, Any]:
    """The first place where a result is different: what is there, and what should be."""
    if found is not None and found.form == "large":
        return {"got": shape_text(found.shape), "wanted": shape_text(trial.expected[0].shape)}
    arrays = results(found, trial) or ()
    for k, (item, wanted) in enumerate(zip(arrays, trial.expected, strict=True)):
        of = "" if len(arrays) == 1 else result_called(names[k], lang)
        of = f"{'of' if names[k].isdigit() else 'in'} {of}, " if of and lang == "en" else of
        if name == "shape" and item.array.shape != wanted.shape:
            where = f"{shape_text(item.array.shape)}{f' ({of[:-2]})' if of and lang == 'en' else of}"
            return {"got": where, "wanted": shape_text(wanted.shape)}
        if name == "dtype" and (item.dtype in COARSE or (item.array.dtype == bool) != (wanted.dtype == bool)):
            return {"got": item.dtype, "wanted": "bool" if wanted.dtype == bool else "float32"}
        if name == "dtype" and item.array.dtype.kind == "c":
            return {"got": item.dtype, "wanted": "float32"}
        got = as_numbers(item.array)
        if name in ("nan", "values") and got.shape == wanted.shape:
            differs = first_difference(got, wanted, nan=name == "nan")
            if differs is not None:
                return {
                    "at": place_text(differs, of, lang, begins=name == "values"),
                    "got": number_text(got[differs]),
                    "wanted": number_text(wanted[differs]),
                }
    return {"at": "The" if name == "values" and lang == "en" else "", "got": "?", "wanted": "?"}


def first_difference(got: np.ndarray, wanted: np.ndarray, *, nan: bool = False) -> tuple[int, ...] | None:
    """The index of the first entry that differs; ``None`` if there is none."""
    one, other = got.astype(np.float64), wanted.astype(np.float64)
    differs = np.isnan(one) & ~np.isnan(other) if nan else differing(one, other)
    return tuple(int(i) for i in np.argwhere(differs)[0]) if differs.any() else None


def place_text(index: tuple[int, ...], of: str, lang: Language, *, begins: bool) -> str:
    """Where an entry is: "At [0, 1] the" before "result", or " at [0, 1]" after it."""
    at = f"[{', '.join(map(str, index))}]" if index else ""
    if lang == "zh":
        return f"{of}{f'在 {at} 处' if at else ''}{'，' if begins and (of or at) else ''}"
    if not begins:
        return f" at {at}" if at else ""
    text = f"{of}at {at} the" if at else f"{of}the"
    return text[0].upper() + text[1:]
