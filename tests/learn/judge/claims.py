"""The claims of the generic diagnoses, derived once more from the numbers, each in its own way."""

import re

import numpy as np
import torch

from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.judge.compare import Call, close, numbers


def arrays_of(verdict):
    """The wrong results and the right ones, as pairs of arrays, for each call."""
    for outcome, trial in zip(verdict.outcomes, verdict.trials, strict=True):
        got = numbers(outcome.result, trial)
        yield [(g.astype(float), r.astype(float)) for g, r in zip(got, trial.expected, strict=True)]


def wrong_pairs(verdict):
    """The pairs of those results that are wrong in some call."""
    calls = list(arrays_of(verdict))
    if len({len(call) for call in calls}) > 1:
        return [pair for call in calls for pair in call]
    wrong = [k for k in range(len(calls[0])) if not all(close(*call[k]) for call in calls)]
    return [call[k] for call in calls for k in wrong]


def ratio_is_constant(got, right, axis=None):
    with np.errstate(all="ignore"):
        ratio = np.where(np.abs(right) > 1e-6, got / right, np.nan)
    if axis is not None and ratio.ndim < -axis:
        return False
    rows = [ratio.ravel()] if axis is None else np.moveaxis(ratio, axis, -1).reshape(-1, ratio.shape[axis])
    return all(
        np.ptp(row[~np.isnan(row)]) <= 1e-3 * np.nanmax(np.abs(row)) + 1e-4 for row in rows if (~np.isnan(row)).any()
    )


AXES = {"in each call": None, "along the last axis": -1, "along the axis before the last": -2}


def axis_said(says):
    return next(axis for words, axis in AXES.items() if words in says)


def scaled(pairs, says):
    return all(ratio_is_constant(g, r, axis_said(says)) for g, r in pairs)


def offset(pairs, says):
    axis = axis_said(says)
    return all(np.ptp(g - r, axis=axis).max(initial=0) < 1e-3 for g, r in pairs if g.size)


def shifted(pairs, says):
    axis = -2 if "axis before the last" in says else -1 if "last axis" in says else -3
    late = "late" in says
    moved = [(np.moveaxis(g, axis, 0), np.moveaxis(r, axis, 0)) for g, r in pairs]
    return all(close(g[1:], r[:-1]) if late else close(g[:-1], r[1:]) for g, r in moved)


def flipped(pairs, says):
    axis = -2 if "axis before the last" in says else -1 if "last axis" in says else -3
    return all(close(g, np.flip(r, axis)) for g, r in pairs)


def some_entries(pairs, says):
    """Only the first (last) row (column, entry) is wrong (right)."""
    name, kind, state = re.fullmatch(r"Only the (\w+) (\w+) is (\w+)\.", says).groups()
    axis, place = -2 if kind == "row" else -1, 0 if name == "first" else -1
    for g, r in pairs:
        equal = np.moveaxis(np.isclose(g, r, 1e-4, 1e-5, equal_nan=True), axis, 0).reshape(g.shape[axis], -1).all(1)
        others = np.delete(equal, place)
        if equal.all() and (state == "wrong" or len(equal) < 2):
            continue
        if state == "wrong" and (equal[place] or not others.all()):
            return False
        if state == "right" and (not equal[place] or others.any()):
            return False
    return True


def along(says):
    return -2 if "before the last" in says else 0 if "first axis" in says else None


def sorted_along(pairs, says):
    sign = -1 if "falling" in says else 1
    return all((np.diff(sign * g) >= 0).all() and close(np.sort(g, None), np.sort(r, None)) for g, r in pairs)


def zeros(pairs, says):
    """The entries on the named side of the diagonal are 0, and those of the right result are not."""
    sides = {"on the diagonal": lambda i, j: i == j, "after": lambda i, j: j > i, "before": lambda i, j: j < i}
    side = next(test for words, test in sides.items() if words in says)
    entries = [(g[i, j], r[i, j]) for g, r in pairs for i in range(len(g)) for j in range(len(g)) if side(i, j)]
    return bool(entries) and all(abs(g) < 1e-12 < abs(r) for g, r in entries)


PAIRS = {
    "sorted": sorted_along,
    "hidden": lambda pairs, says: zeros([pair for pair in pairs if len(pair[0]) > 1], says),
    "regrouped": lambda pairs, says: all(close(np.sort(g, -1), np.sort(r, -1)) for g, r in pairs),
    "same-number": lambda pairs, says: len({round(x, 3) for g, r in pairs for x in (g - r).ravel()} - {0.0}) == 1,
    "transposed": lambda pairs, says: all(close(g, np.einsum("...ij->...ji", r)) for g, r in pairs),
    "reversed": flipped,
    "shifted": shifted,
    "layout": lambda pairs, says: all(close(np.sort(g, None), np.sort(r, None)) for g, r in pairs),
    "negated": lambda pairs, says: all(close(g + r, 0 * r) for g, r in pairs),
    "scaled": scaled,
    "factor": lambda pairs, says: all(ratio_is_constant(g, r) for g, r in pairs),
    "offset": offset,
    "signs": lambda pairs, says: all(close(g**2, r**2) for g, r in pairs),
    "constant-result": lambda pairs, says: all(np.ptp(g) == 0 for g, _ in pairs if g.size),
    "equal-rows": lambda pairs, says: all(np.ptp(g, axis=-2).max(initial=0) < 1e-3 for g, _ in pairs if g.ndim > 1),
    "unnormalised": lambda pairs, says: (
        any((abs(g.sum(-1) - 1) > 1e-3).any() for g, _ in pairs)
        and all((abs(r.sum(-1) - 1) < 1e-4).all() for _, r in pairs)
        and any(all(ratio_is_constant(g, r, axis) for g, r in pairs) for axis in (None, -1))
    ),
    "normalised-elsewhere": lambda pairs, says: all(
        np.allclose(g.sum(along(says) if g.ndim > 1 else None), 1, atol=1e-3) for g, _ in pairs
    ),
    "border": some_entries,
    "first-only": some_entries,
    "last-only": some_entries,
}  # fmt: skip


def right_where(exercise, verdict, says):
    """Right where a = b (a < b, a = 1), and wrong in all other calls."""
    one, sign, other = re.search(r"where (\S+) (=|<|≤) ([^;,\s]+)", says).groups()
    for trial, pairs in zip(verdict.trials, arrays_of(verdict), strict=True):
        sizes = dict(zip(exercise.arguments, trial.arguments, strict=False))
        for told, value in zip(exercise.arguments.values(), trial.arguments, strict=False):
            letters = re.match(r"\(([^()]*)\)", told)
            names = [n.strip() for n in letters[1].split(",")] if letters else []
            if hasattr(value, "shape"):
                sizes.update(
                    {n: s for n, s in zip(names[::-1], tuple(value.shape)[::-1], strict=False) if n not in sizes}
                )
        a, b = sizes[one], sizes[other] if other in sizes else float(other)
        holds = {"=": a == b, "<": a < b, "≤": a <= b}[sign]
        if holds != all(close(g, r) for g, r in pairs):
            return False
    return True


def depends(exercise, verdict, function, says):
    """Changing a place by another amount changes the result there, and that of the formula not, or the reverse."""
    name, place, at = re.match(r"Changing (\w+)\[([^\]]*)\] .*? the result(?: at \[([^\]]*)\])?;", says).groups()
    i = list(exercise.arguments).index(name)
    axes = tuple(slice(None) if p.strip() == ":" else int(p) for p in place.split(","))
    entry = tuple(map(int, at.split(","))) if at else ()
    call = max(verdict.trials, key=lambda t: sum(a.size for a in t.expected))
    changed = call.arguments[i].clone()
    changed[axes] += 0.3 + torch.rand(changed[axes].shape, generator=torch.Generator().manual_seed(1))
    arguments = (*call.arguments[:i], changed, *call.arguments[i + 1 :])
    ours = [Call.of(function, each).expected for each in (call.arguments, arguments)]
    right = [Call.of(exercise.expected, each).expected for each in (call.arguments, arguments)]

    def moves(pair):
        return [
            not np.isclose(a[entry], b[entry], 1e-7, 1e-9) for a, b in zip(*pair, strict=True) if a.ndim == len(entry)
        ]

    wanted = (False, True) if "does not change" in says else (True, False)
    return wanted in zip(moves(ours), moves(right), strict=True)


CHANGED = (
    (r"with (\w+) and (\w+) exchanged", lambda g, a, b: {a: g[b], b: g[a]}),
    (r"with ([a-z]\w*) in the place of (\w+)", lambda g, a, b: {b: g[a]}),
    (r"with (\w+) = (\d[\d.e-]*\d|\d)\b", lambda g, a, n: {a: type(g[a])(float(n))}),
    (r"with 0 in the place of (\w+)", lambda g, a: {a: 0 * g[a]}),
    (r"with -(\w+) in the place of", lambda g, a: {a: -1 * g[a]}),
    (r"with 2 (\w+) in the place of", lambda g, a: {a: g[a] + g[a]}),
    (r"with (\w+) / 2 in the place of", lambda g, a: {a: g[a] * 0.5}),
    (r"with (\w+) ([+-] 1) in the place of", lambda g, a, n: {a: g[a] + int(n.replace(" ", ""))}),
    (r"with (\w+) transposed", lambda g, a: {a: g[a].mT}),
    (r"without (\w+): every position", lambda g, a: {a: g[a] | True}),
    (r"with (\w+) inverted", lambda g, a: {a: ~g[a]}),
)  # fmt: skip


def other_arguments(exercise, function, says):
    """On calls that the judge has not seen, the function gives what the equation gives for other arguments."""
    for pattern, change in CHANGED:
        if found := re.search(pattern, says):
            for seed in range(900, 903):
                arguments = exercise.draw(ExerciseDraw.seeded(seed, torch.float32))
                given = dict(zip(exercise.arguments, arguments, strict=True))
                try:
                    wanted = Call.of(exercise.expected, tuple({**given, **change(given, *found.groups())}.values()))
                except Exception:
                    continue
                if not any(map(close, Call.of(function, arguments).expected, wanted.expected)):
                    return False
            return True
    return None


def is_true(exercise, verdict, function, finding):
    """Whether a diagnosis is true; ``None`` for one that is only derived in the judge's own way."""
    name, says = finding.id.removeprefix("generic."), finding.says.en
    if name in PAIRS:
        return bool(PAIRS[name](wrong_pairs(verdict), says))
    if name in ("neutral-only", "equal-sizes-only", "branch"):
        return right_where(exercise, verdict, says)
    if name in ("leak", "blind"):
        return depends(exercise, verdict, function, says)
    if says.startswith("The result is what the formula gives"):
        return other_arguments(exercise, function, says)
    return None
