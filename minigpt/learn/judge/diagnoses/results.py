"""A function of the right result, a factor or a constant: diagnoses from the results alone."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from minigpt.learn.judge.compare import ABSOLUTE, RELATIVE, Diagnosis, close
from minigpt.learn.judge.diagnoses.evidence import Evidence, Pairs
from minigpt.learn.judge.diagnoses.layouts import Transform, fits, said

OF_THE_RIGHT_ONE: dict[str, tuple[Transform, str, str, str]] = {
    "negated": (np.negative, "sign", "the right one with every sign reversed", "每个数的符号都相反的正确答案"),
    "logarithm": (np.log, "extra", "the logarithm of the right one", "正确答案的对数"),
    "exponential": (np.exp, "missing", "exp of the right one", "正确答案的指数"),
    "root": (np.sqrt, "extra", "the square root of the right one", "正确答案的平方根"),
    "square": (np.square, "missing", "the square of the right one", "正确答案的平方"),
    "reciprocal": (lambda a: 1 / a, "wrong-operand", "1 divided by the right one", "正确答案的倒数"),
    "complement": (lambda a: 1 - a, "mask", "1 minus the right one", "1 减去正确答案"),
    "magnitude": (np.abs, "sign", "the right one without its signs", "去掉符号后的正确答案"),
    "rounded": (np.round, "dtype", "the right one, rounded to whole numbers", "四舍五入成整数的正确答案"),
    "truncated": (np.trunc, "dtype", "the right one without its decimals", "截掉小数部分的正确答案"),
    "floored": (np.floor, "dtype", "the right one, rounded down", "向下取整的正确答案"),
    "summed": (
        lambda a: np.cumsum(a, -1),
        "extra",
        "the right one, added up along the last axis",
        "沿最后一个轴累加的正确答案",
    ),
}


def functions(pairs: Pairs) -> Iterator[Diagnosis]:
    """A function of the right result."""
    for name, (transform, kind, en, zh) in OF_THE_RIGHT_ONE.items():
        if fits(pairs, transform):
            yield said(name, kind, f"The result is {en}.", f"结果是{zh}。")
    for value in (0.0, 1.0):
        if all(g.size and close(g, np.full_like(g, value)) for g, r in pairs if r.size):
            yield said("constant-result", "missing", f"The result is always {value:g}.", f"结果总是 {value:g}。")
    if all(g.shape == r.shape and close(np.abs(g), np.abs(r)) for g, r in pairs):
        yield said("signs", "sign", "Right up to the sign of some values.", "除了部分值的符号之外都正确。")
    yield from equal_rows(pairs)


def equal_rows(pairs: Pairs) -> Iterator[Diagnosis]:
    """Rows that are alike where the right ones are not."""
    deep = [(g, r) for g, r in pairs if g.shape == r.shape and g.ndim >= 2 and g.shape[-2] > 1]
    if len(deep) < 2 or any(g.shape != r.shape for g, r in pairs):
        return
    alike = [close(g, np.broadcast_to(g[..., :1, :], g.shape)) for g, _ in deep]
    if all(alike) and not all(close(r, np.broadcast_to(r[..., :1, :], r.shape)) for _, r in deep):
        yield said(
            "equal-rows",
            "missing",
            "All rows of the result are equal: what tells one row from another is left out.",
            "结果的各行都相同：区分各行的那部分被漏掉了。",
        )


NAMED = {
    "2": 2.0, "1/2": 0.5, "4": 4.0, "1/4": 0.25, "ln 2": math.log(2), "1/ln 2": 1 / math.log(2),
    "ln 10": math.log(10), "1/ln 10": 1 / math.log(10), "√2": math.sqrt(2), "1/√2": 1 / math.sqrt(2),
}  # fmt: skip
OF_SIZE: dict[str, Callable[[float], float]] = {
    "{}": lambda n: n,
    "1/{}": lambda n: 1 / n,
    "√{}": math.sqrt,
    "1/√{}": lambda n: 1 / math.sqrt(n),
    "{}/({} - 1)": lambda n: n / (n - 1),
    "({} - 1)/{}": lambda n: (n - 1) / n,
    "√({}/({} - 1))": lambda n: math.sqrt(n / (n - 1)),
    "√(({} - 1)/{})": lambda n: math.sqrt((n - 1) / n),
    "{} - 1": lambda n: n - 1,
    "1/({} - 1)": lambda n: 1 / (n - 1),
    "1 - {}": lambda n: 1 - n,
    "1/(1 - {})": lambda n: 1 / (1 - n),
    "{}²": lambda n: n * n,
    "1/{}²": lambda n: 1 / n**2,
}


def factor_of(name: str) -> Diagnosis:
    """The diagnosis of a factor with a name."""
    return said("factor", "scale", f"Every value is {name} times the right one.", f"每个值都是正确值的 {name} 倍。")


def factors(evidence: Evidence) -> Iterator[Diagnosis]:
    """A constant factor: one number, or one that follows from a size."""
    pairs = evidence.pairs
    for name, factor in NAMED.items():
        if fits(pairs, partial(np.multiply, factor)):
            yield factor_of(name)
            return
    tables = evidence.named_sizes()
    each = len(pairs) // len(tables)
    if len(pairs) != each * len(tables):
        return
    for letter in tables[0]:
        for form, of in OF_SIZE.items():
            try:
                scales = [of(table[letter]) for table in tables for _ in range(each)]
            except (ZeroDivisionError, ValueError):
                continue
            if all(close(g, s * r) for (g, r), s in zip(pairs, scales, strict=True)):
                yield factor_of(form.replace("{}", letter))
                return


def per_slice(pairs: Pairs) -> Iterator[Diagnosis]:
    """A factor or a difference that is the same within each call, or along an axis."""
    with np.errstate(all="ignore"):
        ratios = [
            np.where(np.abs(r) > 1e-6, g / np.where(r == 0, 1, r), np.nan) for g, r in pairs if g.shape == r.shape
        ]
        differences = [g - r for g, r in pairs if g.shape == r.shape]
    if len(ratios) < len(pairs) or not any(r.size > 1 for r in ratios):
        return
    for axis, en, zh in ((None, "in each call", "每次调用中"), (-1, "along the last axis", "沿最后一个轴"),
                         (-2, "along the axis before the last", "沿倒数第二个轴")):  # fmt: skip
        zeros = all(close(g[np.abs(r) <= 1e-6], r[np.abs(r) <= 1e-6]) for g, r in pairs)
        if zeros and steady(ratios, axis):
            yield from normalisation(pairs)
            yield said(
                "scaled",
                "scale",
                f"The values have the right proportions {en}, but not the right size: a factor is missing or too many.",
                f"{zh}数值的比例正确，但大小不对：少了或多了一个因子。",
            )
        if steady(differences, axis):
            yield said(
                "offset", "constant", f"The values are off by the same number {en}.", f"{zh}所有值都差同一个常数。"
            )


def normalisation(pairs: Pairs) -> Iterator[Diagnosis]:
    """Where the right values sum to 1 along the last axis and those that were returned do not."""
    if any(r.ndim == 0 or not np.allclose(r.sum(-1), 1, atol=1e-6) for _, r in pairs):
        return
    for axes, en, zh in (
        (-2, "along the axis before the last", "沿倒数第二个轴"),
        (0, "along the first axis", "沿第一个轴"),
        (None, "over the whole array", "在整个数组上"),
    ):
        deep = [g for g, _ in pairs if g.ndim >= 2]
        if deep and all(np.allclose(g.sum(axes if g.ndim > 1 else None), 1, atol=1e-4) for g, _ in pairs):
            yield said(
                "normalised-elsewhere",
                "axis",
                f"The values sum to 1 {en}, where they should sum to 1 along the last axis.",
                f"数值{zh}之和为 1，而公式要求沿最后一个轴之和为 1。",
            )
            return
    yield said(
        "unnormalised",
        "missing",
        "The values have the right proportions, but do not sum to 1 along the last axis.",
        "数值的比例正确，但沿最后一个轴之和不为 1。",
    )


def steady(arrays: list[np.ndarray], axis: int | None) -> bool:
    """Whether each array has one value along an axis, and one of them has several there; NaN may be any value."""
    if any(not np.isfinite(a[~np.isnan(a)]).all() for a in arrays) or any(a.ndim < -(axis or 0) for a in arrays):
        return False
    if not any(a.size > 1 if axis is None else a.shape[axis] > 1 for a in arrays):
        return False
    return all(spread(a, axis) for a in arrays)


def spread(array: np.ndarray, axis: int | None) -> bool:
    """Whether the values along an axis are equal."""
    filled = np.ma.masked_invalid(array)
    low, high = np.ma.min(filled, axis=axis), np.ma.max(filled, axis=axis)
    return bool(np.ma.all(high - low <= ABSOLUTE + RELATIVE * np.ma.abs(high))) if array.size else True
